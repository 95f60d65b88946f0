"""Reads metrics from standard input as those read them who know them best, and prints them as JSON.

`openmetrics`: the text, by the reference parser, which is strict: one line for each family.
`otlp`: a request in protobuf, by the messages of the OpenTelemetry project.
"""

import json
import sys


def openmetrics(data):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(data.decode("utf-8")):
        yield {
            "name": family.name,
            "kind": family.type,
            "help": family.documentation,
            "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
        }


def otlp(data):
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.metrics.v1 import metrics_pb2  # noqa: F401  the names of enumerations

    request = ExportMetricsServiceRequest.FromString(data)
    # Bytes that no message knows would be faults of the sender; they are kept, so the length tells.
    request.DiscardUnknownFields()
    yield {"whole": len(request.SerializeToString()) == len(data), "request": MessageToDict(request)}


for line in {"openmetrics": openmetrics, "otlp": otlp}[sys.argv[1]](sys.stdin.buffer.read()):
    print(json.dumps(line))
