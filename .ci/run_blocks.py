"""Writes every `run:` block of the given action and workflow files to a folder, for shellcheck.

    run_blocks.py FOLDER FILE...

It also refuses what no other linter here refuses: an expression inside a `run`, a block
without `shell: bash` in a composite action, a `uses:` that is not pinned to a commit,
and a default `version` that is not the package's.
"""

import pathlib
import re
import sys

import yaml

folder, files = pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]
package = re.search(r'^version = "([^"]+)"', pathlib.Path("Cargo.toml").read_text(), re.M).group(1)
problems = []


def steps_of(document):
    runs = document.get("runs")
    if runs:
        for step in runs.get("steps", []):
            yield "composite", step
    for name, job in (document.get("jobs") or {}).items():
        for step in job.get("steps", []):
            yield name, step


folder.mkdir(parents=True, exist_ok=True)
count = 0
for file in files:
    document = yaml.safe_load(file.read_text())
    version = (document.get("inputs") or {}).get("version")
    if version is not None and version.get("default") != package:
        problems.append(f"{file}: default of `version` is not the package's: `{version.get('default')}`, `{package}`")
    for where, step in steps_of(document):
        uses = str(step.get("uses", ""))
        pinned = re.search(r"@[0-9a-f]{40}$", uses) or "[[ actions_ref ]]" in uses or uses.startswith("./")
        if uses and not pinned:
            problems.append(f"{file}: {where}: not pinned to a commit: `{uses}`")
        if "run" not in step:
            continue
        if "${{" in step["run"]:
            problems.append(f"{file}: {where}: an expression inside `run`; hand it over by `env`")
        if where == "composite" and step.get("shell") != "bash":
            problems.append(f"{file}: {where}: `shell: bash` is missing")
        count += 1
        target = folder / f"{count:03}-{re.sub('[^a-zA-Z0-9]+', '-', str(file)).strip('-')}.sh"
        target.write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{step['run']}\n")

for problem in problems:
    print(problem)
print(f"{count} run blocks in {len(files)} files")
sys.exit(1 if problems or count == 0 else 0)
