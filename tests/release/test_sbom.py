"""The bill of materials names everything that is in the programs and in the page, and is valid.

Usage: test_sbom.py ROOT.  TAP on standard output."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
LICENCES = {"MIT", "Apache-2.0", "LGPL-2.1-or-later", "LGPL-2.1-only", "OLDAP-2.8", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD"}


def main():
    made = [subprocess.run([ROOT / "tools/release/sbom"], check=True, capture_output=True, text=True).stdout for _ in range(2)]
    document = json.loads(made[0])
    packages = {found["SPDXID"]: found for found in document["packages"]}
    names = {found["name"] for found in packages.values()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("## Libraries")[1]
    debian = set(re.findall(r"^\| [^|]*\((\S+)\) \|", readme, re.M)) - {"libcmocka-dev"}
    of_debian = {re.match(r"pkg:deb/debian/(.+)@", found["externalRefs"][0]["referenceLocator"])[1] for found in packages.values()
                 if "pkg:deb" in found["externalRefs"][0]["referenceLocator"]}
    page = json.loads((ROOT / "tools/dashboard/package.json").read_text(encoding="utf-8"))
    relations = document["relationships"]
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text(encoding="utf-8"))[1]
    checks = {
        "the same twice": made[0] == made[1],
        "SPDX 2.3": document["spdxVersion"] == "SPDX-2.3" and document["SPDXID"] == "SPDXRef-DOCUMENT" and document["dataLicense"] == "CC0-1.0"
                    and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]),
        "each has an identifier of its own": len(packages) == len(document["packages"])
                                             and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in packages),
        "each is related to Vakt": {r["relatedSpdxElement"] for r in relations} == packages.keys() and relations[0]["relationshipType"] == "DESCRIBES",
        "versions and licences": all(found["versionInfo"] and found["licenseDeclared"] in LICENCES for found in packages.values()),
        "the version is that of the build": packages["SPDXRef-vakt"]["versionInfo"] == version,
        "the libraries of README.md": debian and debian == of_debian,
        "the modules of the page": page["dependencies"].keys() <= names and not names & page["devDependencies"].keys(),
    }
    print(f"1..{len(checks)}")
    for number, (name, passed) in enumerate(checks.items(), 1):
        print(f"{'ok' if passed else 'not ok'} {number} - {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
