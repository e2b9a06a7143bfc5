# shellcheck shell=bash
# `loadgate run` with a real Locust against services on this machine, on the host and in a container of docker/Dockerfile.locust.
# Without Docker, podman answers in its place, to a caller who is not root, as Docker's service does.
source .ci/containers.sh
options=()
if docker version >"$WORK/docker.log" 2>&1; then
  docker build --quiet -t "$LOCUST_IMAGE" docker -f docker/Dockerfile.locust >"$WORK/docker.log" 2>&1 &
else
  container_tools
  podman_service
  LOADGATE_DOCKER=$(podman_client)
  export LOADGATE_DOCKER
  options=(--user 1001)
  locust_image &
fi
cargo build --quiet --locked --bin loadgate
# The image is waited for there: much can be tried without it.
bash tests/loadtest/run.sh --loadgate "$CARGO_TARGET_DIR/debug/loadgate" --work "$WORK/loadtest" --image "$LOCUST_IMAGE" "${options[@]}"
