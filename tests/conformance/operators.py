"""Writes operators.txt from what ./dev conformance and ./dev conformance --gradients have found.

    python3 tests/conformance/operators.py build/conformance

Needs the onnx package, to see which operator a case is about; only cases of one node count.
"""
import os
import sys

import onnx

TYPES = {"FLOAT16": "f16", "BFLOAT16": "bf16", "FLOAT": "f32", "DOUBLE": "f64",
         "INT8": "i8", "INT16": "i16", "INT32": "i32", "INT64": "i64",
         "UINT8": "u8", "UINT16": "u16", "UINT32": "u32", "UINT64": "u64", "BOOL": "bool"}
HEAD = """\
# What the tests of ONNX of one node have shown; made by operators.py after ./dev conformance, with and without
# --gradients. Operator; gradient (compared with central differences: yes; refused, with an error that says so: no;
# in part: refused in some modes; nothing to compare: -); elements of inputs and outputs in tests that pass.
"""


def read_results(path):
    with open(path) as lines:
        words = [line.split(" ", 2) for line in lines]
    return {word[1].strip(): (word[0], word[2] if len(word) > 2 else "") for word in words}


def operator_of(folder):
    graph = onnx.load(os.path.join(folder, "model.onnx"), load_external_data=False).graph
    if len(graph.node) != 1:
        return None, set()
    edges = [value.type.tensor_type.elem_type for value in [*graph.input, *graph.output]]
    names = {onnx.TensorProto.DataType.Name(edge) for edge in edges}
    return graph.node[0].op_type, {TYPES[name] for name in names if name in TYPES}


def gradient(results):
    compared = any(kind == "pass" for kind, _ in results)
    refused = any(kind == "none" and not text.startswith("--gradients: ") for kind, text in results)
    return ("in part" if refused else "yes") if compared else "no" if refused else "-"


def main():
    build = sys.argv[1]
    cases = os.path.join(build, "data", "node")
    outputs = read_results(os.path.join(build, "results.txt"))
    gradients = read_results(os.path.join(build, "results_of_gradients.txt"))
    types, found = {}, {}
    for case, (kind, _) in sorted(outputs.items()):
        operator, elements = operator_of(os.path.join(cases, case))
        if not operator or kind != "pass" or "_expanded" in case:
            continue
        types.setdefault(operator, set()).update(elements)
        found.setdefault(operator, []).append(gradients[case])
    order = list(TYPES.values())
    with open(os.path.join(os.path.dirname(__file__), "operators.txt"), "w") as out:
        out.write(HEAD)
        for operator in sorted(types):
            elements = " ".join(sorted(types[operator], key=order.index))
            out.write(f"{operator}; {gradient(found[operator])}; {elements}\n")


main()
