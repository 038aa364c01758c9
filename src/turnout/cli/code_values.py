"""What text an expression in a project's code stands for: a constant, of this module or of another one of the project;
an environment variable, or its default; a text put together of such. Reads the syntax tree only."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# How far a name is followed from one assignment to the next.
MOST_STEPS = 8
# A method that leaves of an address or a model's name what it is.
_TRIMMING = frozenset({"strip", "rstrip", "lower", "removesuffix", "get_secret_value"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What a name was imported as. name: "" for the module itself."""

    module: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


Bindings = Mapping[str, ast.expr | Imported]


class Values:
    """The texts that expressions of these files stand for. trees: by the file's path. environ: the variables there."""

    def __init__(self, trees: Mapping[str, ast.Module], environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._files = {file: dict(_bindings(tree)) for file, tree in trees.items()}
        self._modules = {_module(file): file for file in trees}

    def text(self, node: ast.expr | None, file: str) -> str:
        """The first text that the expression may stand for; "" where none is known."""
        return next(self.texts(node, file), "")

    def texts(self, node: ast.expr | None, file: str, steps: int = MOST_STEPS) -> Iterator[str]:
        """Every text that the expression may stand for, the likeliest first."""
        if steps == 0:
            return
        steps -= 1
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield from self._joined(parts, file, steps)
            case ast.FormattedValue(value=inner):
                yield from self.texts(inner, file, steps)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                yield from self._joined([left, right], file, steps)
            case ast.BoolOp(values=choices):
                for choice in choices:
                    yield from self.texts(choice, file, steps)
            case ast.IfExp(body=one, orelse=other):
                yield from self.texts(one, file, steps)
                yield from self.texts(other, file, steps)
            case ast.Name(id=name):
                yield from self._named(name, file, steps)
            case ast.Attribute(value=owner, attr=name):
                yield from self._attribute(owner, name, file, steps)
            case ast.Subscript(value=owner, slice=key):
                yield from self._item(owner, key, file, steps)
            case ast.Call():
                yield from self._called(node, file, steps)

    def path(self, node: ast.expr, file: str) -> str:
        """The dotted name of what is called or named, by what it was imported as: `openai.AsyncOpenAI`."""
        match node:
            case ast.Name(id=name):
                bound = self._files[file].get(name)
                return bound.path if isinstance(bound, Imported) else name
            case ast.Attribute(value=owner, attr=name):
                return f"{self.path(owner, file)}.{name}"
        return ""

    def _joined(self, parts: list[ast.expr], file: str, steps: int) -> Iterator[str]:
        texts = [next(self.texts(part, file, steps), None) for part in parts]
        if None not in texts:
            yield "".join(text for text in texts if text is not None)

    def _named(self, name: str, file: str, steps: int) -> Iterator[str]:
        bound = self._files[file].get(name)
        if isinstance(bound, Imported):
            other = self._file_of(bound.module)
            if other:
                yield from self._named(bound.name, other, steps - 1) if steps > 0 else ()
        elif bound is not None:
            yield from self.texts(bound, file, steps)

    def _attribute(self, owner: ast.expr, name: str, file: str, steps: int) -> Iterator[str]:
        """Of a module of the project, of self, or of an object whose class says the default."""
        module = self._file_of(self.path(owner, file))
        places = [module] if module else [file, *(each for each in self._files if each != file)]
        place = next((each for each in places if name in self._files[each]), None)
        if place is not None:
            yield from self._named(name, place, steps)

    def _item(self, owner: ast.expr, key: ast.expr, file: str, steps: int) -> Iterator[str]:
        if self.path(owner, file) == "os.environ":
            yield from filter(None, [self._environ.get(self.text(key, file))])
            return
        bound = self._files[file].get(owner.id) if isinstance(owner, ast.Name) else owner
        if isinstance(bound, ast.Dict):
            wanted = next(self.texts(key, file, steps), None)
            for each, value in zip(bound.keys, bound.values, strict=True):
                if wanted is None or (isinstance(each, ast.Constant) and each.value == wanted):
                    yield from self.texts(value, file, steps)

    def _called(self, node: ast.Call, file: str, steps: int) -> Iterator[str]:
        """`os.environ.get("X", default)` and its like, a field with a default, a text that is trimmed."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TRIMMING:
            yield from self.texts(node.func.value, file, steps)
            return
        given = [*node.args]
        if given and isinstance(given[0], ast.Constant) and str(given[0].value).isupper():
            yield from filter(None, [self._environ.get(str(given[0].value))])
            given = given[1:2]
        elif self.path(node.func, file).rpartition(".")[2] != "Field":
            given = []
        for default in [*given[:1], *(each.value for each in node.keywords if each.arg == "default")]:
            yield from self.texts(default, file, steps)

    def _file_of(self, module: str) -> str:
        """The file of a module of the project, by the end of its name: what is above a package is not known."""
        name = module.lstrip(".")
        ends = (file for known, file in self._modules.items() if known == name or known.endswith(f".{name}"))
        return next(ends, "") if name else ""


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".").replace("\\", ".")


def _bindings(tree: ast.Module) -> Iterator[tuple[str, ast.expr | Imported]]:
    """Each name that is assigned or imported anywhere in the file, with what it is at the outermost place."""
    known = set[str]()
    for node in ast.walk(tree):
        for name, value in _bound_by(node):
            if name not in known:
                known.add(name)
                yield name, value


def _bound_by(node: ast.AST) -> Iterator[tuple[str, ast.expr | Imported]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _target(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _target(target, value)
        case ast.arguments(args=given, defaults=defaults):
            for argument, default in zip(reversed(given), reversed(defaults), strict=False):
                yield argument.arg, default
        case ast.Import(names=names):
            for each in names:
                root = each.name.partition(".")[0]
                yield each.asname or root, Imported(each.name if each.asname else root, "")
        case ast.ImportFrom(module=module, names=names):
            for each in names:
                yield each.asname or each.name, Imported(module or each.name, each.name if module else "")


def _target(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Attribute):
        yield target.attr, value
