# shellcheck shell=bash
# The image of the action: built, measured, and run as a runner would, on the case of tests/fixtures/seed/README.md.
source .ci/containers.sh
container_tools
base_images
project_image

# check NAME FOUND WANTED
check() {
  [[ $2 == "$3" ]] || { printf '%s: expected %q, found %q\n' "$1" "$3" "$2"; exit 1; }
}

at_most() {
  printf '%s: %d bytes of %d allowed\n' "$@"
  [[ $2 -le $3 ]] || { echo "$1 is too large"; exit 1; }
}

mounted=$(podman image mount "$IMAGE")
at_most "binary" "$(stat -c %s "$mounted/usr/local/bin/loadgate")" $((8 * 1000 * 1000))
for program in sh env tail; do
  [[ -n $(find "$mounted"/usr/bin "$mounted"/bin/ -name "$program") ]] || { echo "$program is not in the image"; exit 1; }
done
podman image unmount "$IMAGE" >/dev/null
base=$(podman image inspect --format '{{.Size}}' docker.io/library/debian:bookworm-slim)
at_most "layers on top of the base" $(($(podman image inspect --format '{{.Size}}' "$IMAGE") - base)) $((10 * 1000 * 1000))

label() {
  podman image inspect --format "{{index .Labels \"org.opencontainers.image.$1\"}}" "$IMAGE"
}

for name in title description source licenses version revision; do
  [[ -n $(label "$name") ]] || { echo "the image has no label $name"; exit 1; }
done
check "entry point" "$(podman image inspect --format '{{.Config.Entrypoint}}' "$IMAGE")" "[/usr/local/bin/loadgate]"
check user "$(podman image inspect --format '{{.User}}' "$IMAGE")" 0

ISOLATION=(--rm --network host --cgroups=disabled --security-opt seccomp=unconfined)

# as_runner EXPECTED_EXIT NAME=VALUE...: one step of a job; the workspace belongs to somebody else, as on GitHub.
as_runner() {
  local expected=$1 status=0
  shift
  rm -rf "$runner"
  mkdir -p "$runner"/{workspace,temp,home,workflow,commands}
  cp tests/fixtures/seed/*.csv "$runner/workspace/"
  echo '{}' >"$runner/workflow/event.json"
  touch "$runner"/commands/{output,summary,env,state}
  chown -R 1001:1001 "$runner"
  local variables=(
    HOME=/github/home CI=true GITHUB_ACTIONS=true GITHUB_WORKSPACE=/github/workspace GITHUB_EVENT_NAME=push
    GITHUB_EVENT_PATH=/github/workflow/event.json GITHUB_REPOSITORY=acme/shop GITHUB_REF=refs/heads/main
    GITHUB_REF_NAME=main GITHUB_SHA=0123456789abcdef0123456789abcdef01234567 GITHUB_RUN_ID=7 GITHUB_RUN_ATTEMPT=1
    GITHUB_OUTPUT=/github/commands/output GITHUB_STEP_SUMMARY=/github/commands/summary
    # Nothing listens there: without a token nothing should be asked either.
    GITHUB_API_URL=http://127.0.0.1:9 GITHUB_SERVER_URL=http://127.0.0.1:9
    "$@"
  )
  # By name only, with the values in our own environment, as the runner does.
  local names=()
  for variable in "${variables[@]}"; do names+=(-e "${variable%%=*}"); done
  without_cgroups env "${variables[@]}" podman run "${ISOLATION[@]}" --workdir /github/workspace "${names[@]}" \
    -v "$runner/temp:/github/runner_temp" -v "$runner/home:/github/home" -v "$runner/workflow:/github/workflow" \
    -v "$runner/commands:/github/commands" -v "$runner/workspace:/github/workspace" \
    "$IMAGE" >"$runner/log" 2>&1 || status=$?
  [[ $status == "$expected" ]] || { cat "$runner/log"; echo "expected exit $expected, found $status"; exit 1; }
}

# The value of a step output, as the runner reads it: NAME<<END, lines, END.
output() {
  awk -v name="$1" 'end != "" { if ($0 == end) exit; print; next } index($0, name "<<") == 1 { end = substr($0, length(name) + 3) }' \
    "$runner/commands/output"
}

runner=$CONTAINERS/runner
seed=load_results_api_20251017_143004.csv
baseline=load_results_baseline_20251017_143004.csv

as_runner 1 "INPUT_RESULTS=$seed" "INPUT_BASELINE=$baseline" "INPUT_FAIL-ON=" "INPUT_STRICT=false"
check verdict "$(output verdict)" fail
check failed "$(output failed)" 2
check missing "$(output missing)" 1
grep -q api_gateway "$runner/commands/summary" || { echo "the summary does not name api_gateway"; exit 1; }
report=$(output report-json)
check "owner of $report" "$(stat -c %u "$runner/workspace/$report")" 1001
check "owner of its folder" "$(stat -c %u "$(dirname "$runner/workspace/$report")")" 1001

as_runner 0 "INPUT_RESULTS=$seed" "INPUT_BASELINE=$seed" "INPUT_FAIL-ON=fail, warn"
check verdict "$(output verdict)" pass

as_runner 2 "INPUT_RESULTS=no-such-file.csv"
grep -q no-such-file.csv "$runner/log" || { echo "the message does not name the file"; exit 1; }

echo "the image judges: exit 1, 0 and 2 where they belong"

# new_user EXPECTED_EXIT WORDS ARGUMENTS...: a command typed in a folder that holds one result and nothing else.
new_user() {
  local expected=$1 words=$2 status=0
  shift 2
  without_cgroups podman run "${ISOLATION[@]}" -v "$folder:/work" --workdir /work "$IMAGE" "$@" >"$folder.log" 2>&1 || status=$?
  if [[ $status != "$expected" ]] || ! grep -qF -- "$words" "$folder.log"; then
    cat "$folder.log"
    echo "loadgate $*: expected exit $expected and '$words', found exit $status"
    exit 1
  fi
}

folder=$CONTAINERS/new-user
rm -rf "$folder"
mkdir "$folder"
# Wrong steps first: each is told with its remedy.
new_user 2 "no results found" check
new_user 2 "similar subcommands exist: 'schema', 'check'" chek
new_user 2 "similar argument exists: '--baseline'" check --basline x results.jtl
gunzip -c tests/fixtures/jmeter/base/results.csv.jtl.gz >"$folder/results.jtl"
new_user 0 "loadgate baseline add results.jtl" check results.jtl
new_user 0 "next: commit" baseline add results.jtl
new_user 0 "no baseline yet" check --suite other results.jtl
new_user 0 "0 to mend" doctor
gunzip -c tests/fixtures/jmeter/regressed/results.csv.jtl.gz >"$folder/results.jtl"
new_user 1 "worse than allowed" check results.jtl
new_user 0 "wrote    .github/workflows/load-test.yml" init --tool jmeter
new_user 0 "kept     .github/workflows/load-test.yml" init --tool jmeter

echo "a new user gets from an empty folder to a verdict"
