"""Render the Helm chart in several ways, lint it, and hold everything against the schemas of Kubernetes.

Needs what is in ``deploy/requirements.txt``: ``make deploy-check`` installs it. Prints what came out as JSON;
ends with 1 where something is wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).with_name("helm") / "autodub"
VERSIONS = ("1.27", "1.33", "1.37")
"""Of Kubernetes: the oldest the chart is for, one between, and the newest whose schema is at hand."""
WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "keda": {"autoscaling": {"kind": "keda"}},
    "hpa": {
        "autoscaling": {"kind": "hpa"},
        "ingress": {"annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "2g"}},
    },
    "claim and admin": {
        "store": {"s3": "", "claim": {"create": True, "storageClass": "nfs"}},
        "migration": {"adminSecretName": "boss"}, "imagePullSecrets": [{"name": "registry"}],
    },
    "calls": {
        "workers": {"demucs": {"calls": "demucs", "concurrency": 1, "replicas": 1, "resources": {}}},
        "settings": {"AUTODUB_REMOTE_ENGINES": "demucs"}, "autoscaling": {"kind": "keda"},
    },
    "fenced": {
        "image": {"tag": "0.0.9"},
        "networkPolicy": {
            "from": [{"namespaceSelector": {"matchLabels": {"name": "ingress-nginx"}}}],
            "egress": {
                "enabled": True, "dns": [{"namespaceSelector": {}}],
                "to": [{"to": [{"ipBlock": {"cidr": "10.0.12.0/24"}}], "ports": [{"port": 5432}]}],
            },
        },
    },
    "bare": {
        "ingress": {"enabled": False}, "networkPolicy": {"enabled": False},
        "serviceAccount": {"create": False}, "migration": {"enabled": False},
    },
}  # fmt: skip
WRONG: dict[str, dict[str, Any]] = {
    "a queue that there is not": {"workers": {"jobs": {"queues": "cpu,fast"}}},
    "a worker that does both": {"workers": {"jobs": {"calls": "demucs"}}},
    "a worker named as the servers": {"workers": {"api": {"queues": "gpu", "concurrency": 1, "replicas": 1}}},
    "no secret": {"secretName": ""},
    "a tag that is a number": {"image": {"tag": 1.0}},
    "a rule that nobody reads": {"networkPolicy": {"egress": {"enabled": True, "cidr": "10.0.0.0/8"}}},
    "a setting that is no text": {"settings": {"AUTODUB_PROXIES": 1}},
}
"""What the schema of the values must refuse."""
_THEIRS = ("keda.sh/",)
"""Kinds of others: Kubernetes has no schema of them."""


def main() -> int:
    """Check; what is wrong is printed."""
    trouble = [str(one) for one in helm_python.lint(str(CHART))["messages"] if one["severity"] > 1]
    made: dict[str, list[Any]] = {}
    for way, values in WAYS.items():
        with helm_python.Chart.load(str(CHART)) as chart:
            found = chart.render(values, name="demo", namespace="dubs")
        texts = [text for name, text in found.items() if not name.endswith("NOTES.txt")]
        made[way] = [one for text in texts for one in yaml.safe_load_all(text) if one]
        for one in made[way]:
            if one["apiVersion"].startswith(_THEIRS):
                continue
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(one, version, strict=True)
                except kubernetes_validate.ValidationError as problem:
                    trouble.append(
                        f"{way}: {one['kind']} {one['metadata']['name']}, {version}: {problem.message}"
                    )
    for name, values in WRONG.items():
        with helm_python.Chart.load(str(CHART)) as chart:
            try:
                chart.render(values, name="demo", namespace="dubs")
            except helm_python.HelmError:
                continue
        trouble.append(f"the values were not refused: {name}")
    print(json.dumps({"trouble": trouble, "made": made}, indent=1))
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
