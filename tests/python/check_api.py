"""Ask a served API document's operations what schemathesis can think of: base URL, token, examples per operation.

Every check of schemathesis is on, and the phase that chains operations by what they answer. The operations that are
left out would end the token's session."""

import pathlib
import subprocess
import sys
import tempfile

base, token, examples = sys.argv[1:]
command = [
    sys.executable,
    "-m",
    "schemathesis.cli",
    "--config-file",
    str(pathlib.Path(__file__).with_name("schemathesis.toml")),
    "run",
    f"{base}/api/openapi.json",
    "--url",
    base,
    "--header",
    f"Authorization: JWT {token}",
    "--checks",
    "all",
    "--phases",
    "examples,coverage,fuzzing,stateful",
    "--max-examples",
    examples,
    "--seed",
    "20240229",
    "--exclude-path",
    "/api/tokens",
    "--exclude-path",
    "/api/users/me/password",
    "--generation-database",
    "none",
    "--request-timeout",
    "30",
    "--no-color",
    "--continue-on-failure",
]
# Elsewhere, so that nothing an earlier run noted down changes this one.
with tempfile.TemporaryDirectory() as directory:
    status = subprocess.run(command, cwd=directory, check=False).returncode
sys.exit(status)
