#!/bin/sh
# Load-tests the demo services with real Locust and judges them: see run.py.
exec python3 "$(dirname "$0")/run.py" "$@"
