"""Reads lines of JSON: module, class, ndr64, hex. Decodes, encodes again, and prints what it encoded."""
import importlib
import json
import sys

from impacket.dcerpc.v5.ndr import NDRCALL

for line in sys.stdin:
    case = json.loads(line)
    cls = getattr(importlib.import_module("impacket.dcerpc.v5." + case["module"]), case["class"])
    data = bytes.fromhex(case["hex"])
    if issubclass(cls, NDRCALL):
        encoded = cls(data, isNDR64=case["ndr64"]).getData()
    else:
        # A structure with its referents, such as a pickle.
        value = cls(isNDR64=case["ndr64"])
        size = value.fromString(data)
        value.fromStringReferents(data, size)
        encoded = value.getData()
        encoded += value.getDataReferents(len(encoded))
    print(json.dumps({"hex": encoded.hex()}), flush=True)
