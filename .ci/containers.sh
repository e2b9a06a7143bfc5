# Builds and runs containers on a machine that has no container engine. Sourced by the steps `image` and `act`.
# shellcheck shell=bash

CONTAINERS=$WORK/containers
IMAGE=localhost/loadgate:ci
export CONTAINERS_STORAGE_CONF=$CONTAINERS/storage.conf CONTAINERS_CONF=$CONTAINERS/containers.conf

container_tools() {
  need buildah podman buildah crun catatonit mmdebstrap
  mkdir -p "$CONTAINERS"
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

has_image() {
  buildah inspect --type image "$1" >/dev/null 2>&1
}

# The two images the Dockerfile starts from, made of Debian's packages and of the toolchain this machine has: no image registry
# is needed. The same names, so that the Dockerfile is built as it is.
base_images() {
  local debian=docker.io/library/debian:bookworm-slim rust=docker.io/library/rust:1.95-slim-bookworm
  if ! has_image "$debian"; then
    # No fsync for a file system that is thrown away at once.
    retry mmdebstrap --quiet --variant=minbase bookworm "$CONTAINERS/base.tar"
    podman import --quiet "$CONTAINERS/base.tar" "$debian" >/dev/null
    rm "$CONTAINERS/base.tar"
  fi
  has_image "$rust" || retry build -t "$rust" -f - . <<CONTAINERFILE
FROM $debian
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

# Some machines show containers a mixture of control groups that their runtime refuses: there the groups are hidden.
without_cgroups() {
  # The inner shell expands "$@".
  # shellcheck disable=SC2016
  unshare -m sh -c 'umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; exec "$@"' sh "$@"
}
