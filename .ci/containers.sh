# Builds and runs containers on a machine that has no container engine. Sourced by the steps `image`, `act` and `loadtest`.
# shellcheck shell=bash

CONTAINERS=$WORK/containers
IMAGE=localhost/loadgate:ci
LOCUST_IMAGE=localhost/loadgate-locust:ci
DEBIAN=docker.io/library/debian:bookworm-slim
export CONTAINERS_STORAGE_CONF=$CONTAINERS/storage.conf CONTAINERS_CONF=$CONTAINERS/containers.conf

container_tools() {
  need buildah podman buildah crun catatonit mmdebstrap
  mkdir -p "$CONTAINERS"
  trap clean_up EXIT
  printf '[storage]\ndriver = "overlay"\nrunroot = "%s/run"\ngraphroot = "%s/graph"\n' "$CONTAINERS" "$CONTAINERS" \
    >"$CONTAINERS_STORAGE_CONF"
  cat >"$CONTAINERS_CONF" <<'CONF'
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:4096", "nproc=4096:8192"]
CONF
}

# Ends what a step has started, however it ends, and leaves nothing mounted: `rm -r target` is all it takes to forget a run.
clean_up() {
  podman rm --all --force --time 0 >/dev/null 2>&1 || true
  # What watches over a command in a container stays for five minutes.
  pgrep -f "^[^ ]*conmon .* -b $CONTAINERS/" | xargs -r kill || true
  [[ -z ${SERVICE-} ]] || kill "$(pgrep -P "$SERVICE")" "$SERVICE" || true
  [[ -z ${SOCKET-} ]] || rm -r "${SOCKET%/*}"
  # The innermost first.
  awk -v folder="$CONTAINERS/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount || true
}

has_image() {
  buildah inspect --type image "$1" >/dev/null 2>&1
}

# Images that Dockerfiles start from, made of Debian's packages and of the toolchain this machine has: no image registry is
# needed. The same names, so that each Dockerfile is built as it is.
debian_image() {
  if ! has_image "$DEBIAN"; then
    # No fsync for a file system that is thrown away at once.
    retry mmdebstrap --quiet --variant=minbase bookworm "$CONTAINERS/base.tar"
    podman import --quiet "$CONTAINERS/base.tar" "$DEBIAN" >/dev/null
    rm "$CONTAINERS/base.tar"
  fi
}

# Those of our own Dockerfile.
base_images() {
  local rust=docker.io/library/rust:1.95-slim-bookworm
  debian_image
  has_image "$rust" || retry build -t "$rust" -f - . <<CONTAINERFILE
FROM $DEBIAN
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev ca-certificates
ENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true PATH=/opt/rust/bin:/usr/bin:/bin
CONTAINERFILE
}

build() {
  buildah bud --quiet --isolation chroot --network host --pull-never --layers "$@" >"$CONTAINERS/build.log" 2>&1 ||
    { tail -n 40 "$CONTAINERS/build.log"; return 1; }
}

# Our own Dockerfile; what would come from the network in it is mounted.
project_image() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo}
  retry cargo fetch --quiet --locked
  build -v "$(rustc --print sysroot):/opt/rust:ro" -v "$cargo_home/registry:/usr/local/cargo/registry" -t "$IMAGE" .
}

# docker/Dockerfile.locust, on Debian's own Python: that is 3.11, where the real base has 3.12.
locust_image() {
  local python=docker.io/library/python:3.12-slim certificates=/etc/ssl/certs/ca-certificates.crt
  debian_image
  has_image "$python" || retry build -t "$python" -f - . <<CONTAINERFILE
FROM $DEBIAN
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip \\
 && rm /usr/lib/python3*/EXTERNALLY-MANAGED
CONTAINERFILE
  # This machine may reach PyPI through a proxy that only its own certificates know.
  retry build -v "$certificates:$certificates:ro" -t "$LOCUST_IMAGE" -f docker/Dockerfile.locust docker
}

# Some machines show containers a mixture of control groups that their runtime refuses: there the groups are hidden.
without_cgroups() {
  # The inner shell expands "$@".
  # shellcheck disable=SC2016
  unshare -m sh -c 'umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; exec "$@"' sh "$@"
}

# podman with Docker's API at $SOCKET, until the step ends; in a folder that every user can reach.
podman_service() {
  local folder
  folder=$(mktemp -d)
  chmod a+x "$folder"
  SOCKET=$folder/podman.sock
  without_cgroups podman system service --time=0 "unix://$SOCKET" >"$CONTAINERS/podman.log" 2>&1 &
  SERVICE=$!
  for _ in $(seq 100); do [[ -S $SOCKET ]] && return; sleep 0.1; done
  echo "podman does not answer"
  return 1
}

# A program beside the socket that behaves like `docker`, for every user of this machine.
podman_client() {
  local client=${SOCKET%/*}/docker
  cat >"$client" <<CLIENT
#!/bin/sh
export HOME=/tmp
# Limits above ours are refused.
if [ "\$1" = run ]; then
  shift
  set -- run --ulimit nofile=1024:4096 --ulimit nproc=4096:8192 "\$@"
fi
exec podman --remote --url unix://$SOCKET "\$@"
CLIENT
  chmod a+rx "$client"
  chmod a+rw "$SOCKET"
  echo "$client"
}
