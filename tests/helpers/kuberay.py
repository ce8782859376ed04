"""JSON schemas of the resources of KubeRay and Kubernetes in docs/scale, as strict as
their API servers with `--validate=strict`: unknown names are errors.

The names are those of KubeRay's API types `ray.io/v1` (rayjob_types.go,
raycluster_types.go) and of Kubernetes' core/v1, without what no file here needs.
"""

TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "number", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}
QUANTITY = {
    "type": ["string", "integer"],
    "pattern": r"^[+-]?[0-9.]+([KMGTPE]i|[numkMGTPE])?$",
}
QUANTITIES = {"type": "object", "additionalProperties": QUANTITY}
DNS_LABEL = {**TEXT, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}


def strict(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def several(items, at_least=0):
    return {"type": "array", "items": items, "minItems": at_least}


def one_of(*values):
    return {"enum": list(values)}


METADATA = strict(name=DNS_LABEL, namespace=DNS_LABEL, labels=TEXTS, annotations=TEXTS)
VOLUME = strict(
    ("name",),
    name=DNS_LABEL,
    persistentVolumeClaim=strict(("claimName",), claimName=DNS_LABEL, readOnly=FLAG),
    emptyDir=strict(medium=TEXT, sizeLimit=QUANTITY),
)
CONTAINER = strict(
    ("name", "image"),
    name=DNS_LABEL,
    image=TEXT,
    imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
    command=several(TEXT),
    args=several(TEXT),
    env=several(strict(("name",), name=TEXT, value=TEXT)),
    resources=strict(requests=QUANTITIES, limits=QUANTITIES),
    volumeMounts=several(
        strict(
            ("name", "mountPath"),
            name=DNS_LABEL,
            mountPath=TEXT,
            subPath=TEXT,
            readOnly=FLAG,
        )
    ),
)
POD_TEMPLATE = strict(
    ("spec",),
    metadata=METADATA,
    spec=strict(
        ("containers",),
        containers=several(CONTAINER, at_least=1),
        volumes=several(VOLUME),
        nodeSelector=TEXTS,
        serviceAccountName=TEXT,
        tolerations=several(
            strict(key=TEXT, operator=TEXT, value=TEXT, effect=TEXT),
        ),
    ),
)
GROUP = {"rayStartParams": TEXTS, "template": POD_TEMPLATE}
WORKER_GROUP = strict(
    ("groupName", "minReplicas", "maxReplicas", *GROUP),
    groupName=DNS_LABEL,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    numOfHosts=COUNT,
    **GROUP,
)
RAY_CLUSTER = strict(
    ("headGroupSpec",),
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=strict(
        idleTimeoutSeconds=COUNT,
        upscalingMode=one_of("Default", "Aggressive", "Conservative"),
    ),
    suspend=FLAG,
    headGroupSpec=strict(
        ("rayStartParams", "template"),
        **GROUP,
        serviceType=TEXT,
        enableIngress=FLAG,
    ),
    workerGroupSpecs=several(WORKER_GROUP),
)
RAY_JOB = strict(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion=one_of("ray.io/v1"),
    kind=one_of("RayJob"),
    metadata=METADATA,
    spec=strict(
        ("entrypoint", "rayClusterSpec"),
        entrypoint=TEXT,
        submissionMode=one_of("K8sJobMode", "HTTPMode", "InteractiveMode"),
        runtimeEnvYAML=TEXT,
        jobId=TEXT,
        metadata=TEXTS,
        activeDeadlineSeconds=COUNT,
        backoffLimit=COUNT,
        entrypointNumCpus=NUMBER,
        entrypointNumGpus=NUMBER,
        entrypointResources=TEXT,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=COUNT,
        suspend=FLAG,
        rayClusterSpec=RAY_CLUSTER,
    ),
)
