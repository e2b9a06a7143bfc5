# shellcheck shell=bash
# Our own workflows, run by act with the real image against a GitHub on loopback (examples/fake-github.rs): what the comment, the
# issue, the history and the exit codes are in the end. .ci/act/run.py has the scenes.
source .ci/containers.sh
container_tools
base_images
# For work on this step alone: an image that is there already, and SCENE names one of run.py.
[[ -n ${KEEP_IMAGE-} ]] || project_image
python_tools
cargo build --quiet --locked --bin loadgate --example fake-github

podman_service
DOCKER_HOST=unix://$SOCKET python3 .ci/act/run.py \
  --image "$IMAGE" --target "$CARGO_TARGET_DIR/debug" --work "$WORK/act" ${SCENE:+--scene "$SCENE"}
