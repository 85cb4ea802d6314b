"""Reads lines of JSON: module, class, ndr64, hex. Decodes, encodes again, and prints what it saw."""
import importlib
import json
import sys

for line in sys.stdin:
    case = json.loads(line)
    cls = getattr(importlib.import_module("impacket.dcerpc.v5." + case["module"]), case["class"])
    data = bytes.fromhex(case["hex"])
    call = cls(data, isNDR64=case["ndr64"])
    fields = {name: repr(call.fields[name].getData()) if hasattr(call.fields[name], "getData") else repr(call.fields[name])
              for name, _ in call.structure}
    print(json.dumps({"hex": call.getData().hex(), "fields": fields}), flush=True)
