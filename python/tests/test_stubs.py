"""The type stubs say what the module has: no more, no less, with the same parameters."""

import ast
import importlib.resources
import inspect
import unittest

import watertight


def stubs():
    text = importlib.resources.files(watertight).joinpath("__init__.pyi").read_text()
    return ast.parse(text)


# What Python makes by itself.
ITS_OWN = {"__new__", "__doc__", "__module__", "__repr__", "__str__", "__ge__", "__gt__", "__le__", "__lt__",
           "__class_getitem__", "__getattribute__", "__setattr__", "__delattr__", "__weakref__"}


class Stubs(unittest.TestCase):
    def test_the_package_is_typed(self):
        self.assertTrue(importlib.resources.files(watertight).joinpath("py.typed").is_file())

    def test_the_names_are_those_of_the_module(self):
        classes = {node.name for node in stubs().body if isinstance(node, ast.ClassDef)}
        real = {name for name, value in vars(watertight).items() if inspect.isclass(value)}
        self.assertEqual(classes, real)

    def test_members_and_parameters_are_the_same(self):
        for node in stubs().body:
            if not isinstance(node, ast.ClassDef):
                continue
            real = getattr(watertight, node.name)
            if issubclass(real, Exception):
                for item in node.body:
                    if isinstance(item, ast.AnnAssign):
                        self.assertTrue(hasattr(real, item.target.id), item.target.id)
                continue
            said = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
            have = {name for name in vars(real) if name not in ITS_OWN}
            self.assertEqual(set(said) - ITS_OWN, have, node.name)
            for name, item in said.items():
                where = f"{node.name}.{name}"
                decorated = any(getattr(d, "id", "") == "property" for d in item.decorator_list)
                member = vars(real)[name]
                self.assertEqual(decorated, inspect.isdatadescriptor(member), where)
                if decorated or name.startswith("__") and name != "__new__":
                    continue
                signature = inspect.signature(real if name == "__new__" else member)
                expected = [p for p in signature.parameters if p != "self"]
                arguments = item.args
                written = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs][1:]
                self.assertEqual(written, expected, where)
                keywords = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
                self.assertEqual([a.arg for a in arguments.kwonlyargs], keywords, where)

    def test_everything_is_documented(self):
        for name, value in vars(watertight).items():
            if not inspect.isclass(value):
                continue
            self.assertTrue(value.__doc__, name)
            for member, what in vars(value).items():
                if not member.startswith("_") and not issubclass(value, Exception):
                    self.assertTrue(what.__doc__, f"{name}.{member}")


if __name__ == "__main__":
    unittest.main()
