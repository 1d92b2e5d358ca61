"""Rule expressions: CEL, checked against the vocabulary before it runs.

Two libraries share the work: ``cel-python`` parses, so that every name and value can be checked at its place;
``common-expression-language`` (in Rust) evaluates, some hundred times faster. CEL has no loops, no I/O and no way to
change anything, so an expression always ends and always gives the same answer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import cel
import celpy
from celpy.celparser import CELParseError
from lark import Token, Tree

from upstander.policy.document import did_you_mean
from upstander.policy.syntax import OTHERS, RESERVED, Fault, brackets, nesting, out_of_place
from upstander.policy.variables import BOOL, DOUBLE, INT, TEXT, Kind

#: An expression is written by hand: a longer one is no rule a person can read.
MAX_EXPRESSION = 1_000


class _Wrong(Exception):
    def __init__(self, where: Any, reason: str, fix: str) -> None:
        self.where, self.reason, self.fix = where, reason, fix


@functools.lru_cache(maxsize=1)
def _environment() -> celpy.Environment:
    return celpy.Environment()


def check(expression: str, declared: Mapping[str, Kind]) -> Fault | None:
    """The first fault of an expression, or None. ``declared``: all variables that there are."""
    if not expression.strip():
        return Fault(0, 0, "the expression is empty", "Write a condition, such as `level >= CONCERN`.")
    if len(expression) > MAX_EXPRESSION:
        return Fault(0, 0, f"the expression is longer than {MAX_EXPRESSION} characters", "Split the rule.")
    unbalanced = brackets(expression) or nesting(expression)
    if unbalanced is not None:
        return unbalanced
    try:
        tree = _environment().compile(expression)
    except CELParseError as error:
        return out_of_place(expression, _offset(expression, error.line or 1, error.column or 1))
    try:
        kind = _Checker(expression, dict(declared)).kind(tree)
    except _Wrong as wrong:
        start, length = _place(expression, wrong.where)
        return Fault(start, length, wrong.reason, wrong.fix)
    if kind.name != "bool":
        return Fault(0, 0, f"the expression gives {_named(kind)}, not true or false", "Compare it with something.")
    try:
        compile_expression(expression)
    except ValueError:
        return Fault(0, 0, "the expression cannot be evaluated", "Write it more plainly.")
    return None


def compile_expression(expression: str) -> cel.Program:
    """A checked expression, ready to run."""
    return cel.compile(expression)


def _named(kind: Kind) -> str:
    words = {"int": "a whole number", "double": "a number with decimals", "bool": "true or false"}
    return words.get(kind.name, f"a {kind.name}")


def _offset(expression: str, line: int, column: int) -> int:
    # As the parser counts lines: only a line feed ends one.
    before = sum(len(part) + 1 for part in expression.split("\n")[: line - 1])
    return min(len(expression), before + column - 1)


def _tokens(node: Any) -> list[Token]:
    if isinstance(node, Token):
        return [node] if node.line is not None else []
    return [token for child in node.children for token in _tokens(child)]


def _place(expression: str, node: Any) -> tuple[int, int]:
    tokens = _tokens(node)
    if not tokens:
        return 0, 0
    start = _offset(expression, tokens[0].line or 1, tokens[0].column or 1)
    end = _offset(expression, tokens[-1].line or 1, tokens[-1].column or 1) + len(str(tokens[-1]))
    return start, max(1, end - start)


_COMPARISONS = {
    "relation_lt": "<", "relation_le": "<=", "relation_gt": ">", "relation_ge": ">=", "relation_eq": "==",
    "relation_ne": "!=", "relation_in": "in",
}  # fmt: skip
_MACROS = ("all", "exists", "exists_one")
_PLAIN = ("bool", "int", "double", "text")
#: Parts of the grammar that only wrap another.
_WRAPPERS = ("member", "primary", "paren_expr")
#: No number of a rule is larger: sums and products then cannot overflow.
MAX_NUMBER = 1_000_000_000
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class _Checker:
    """Walks a parse tree, gives each part a type and refuses what does not fit."""

    def __init__(self, expression: str, variables: dict[str, Kind]) -> None:
        self.expression, self.variables = expression, variables

    def kind(self, node: Any) -> Kind:
        """The type of a part; raises ``_Wrong``."""
        if isinstance(node, Token):
            raise _Wrong(node, f"`{node}` is not expected here", "Check the expression.")
        children = node.children
        handler = getattr(self, f"on_{node.data}", None)
        if handler is not None:
            found: Kind = handler(node)
            return found
        if len(children) == 1 and node.data in _WRAPPERS:
            return self.kind(children[0])
        raise _Wrong(
            node, "this is not available in rules", "Use comparisons, `in`, `&&`, `||`, `!` and the variables."
        )

    # -- true and false ----------------------------------------------------------------------------------------------

    def _needs(self, node: Any, *names: str) -> Kind:
        kind = self.kind(node)
        if kind.name not in names:
            wanted = " or ".join("true or false" if name == "bool" else _named(Kind(name)) for name in names)
            fix = "Compare it with something." if names == ("bool",) else "Use another variable, or a part of this one."
            raise _Wrong(node, f"{wanted} is expected here, and this is {_named(kind)}", fix)
        return kind

    def _both_bool(self, node: Tree[Token]) -> Kind:
        if len(node.children) == 1:
            return self.kind(node.children[0])
        for child in node.children:
            self._needs(child, "bool")
        return BOOL

    on_conditionalor = _both_bool
    on_conditionaland = _both_bool

    def on_expr(self, node: Tree[Token]) -> Kind:
        if len(node.children) == 1:
            return self.kind(node.children[0])
        self._needs(node.children[0], "bool")
        first, second = self.kind(node.children[1]), self.kind(node.children[2])
        if first.name != second.name:
            raise _Wrong(
                node.children[2], f"the two answers are {_named(first)} and {_named(second)}", "Make them alike."
            )
        return first

    def on_unary(self, node: Tree[Token]) -> Kind:
        if len(node.children) == 1:
            return self.kind(node.children[0])
        operator, operand = node.children
        if isinstance(operator, Tree) and operator.data == "unary_not":
            self._needs(operand, "bool")
            return BOOL
        return self._needs(operand, "int", "double")

    # -- comparing ---------------------------------------------------------------------------------------------------

    def on_relation(self, node: Tree[Token]) -> Kind:
        if len(node.children) == 1:
            return self.kind(node.children[0])
        head, right = node.children
        assert isinstance(head, Tree)
        operator, left = _COMPARISONS[str(head.data)], head.children[0]
        a, b = self.kind(left), self.kind(right)
        if operator == "in":
            return self._member(left, right, a, b)
        numbers = ("int", "double")
        if a.name in numbers and b.name in numbers:
            if a.name != b.name:
                integer = right if b.name == "int" else left
                text = self.expression[slice(*self._span(integer))]
                fix = f"Write `{text}.0`." if text.isdigit() else "Compare with a whole number."
                raise _Wrong(integer, "a number with decimals is compared with a whole one", fix)
            return BOOL
        if a.name != b.name:
            raise _Wrong(node, f"{_named(a)} is compared with {_named(b)}", "Compare like with like.")
        if a.name == "map":
            raise _Wrong(node, "a whole map is compared", "Compare a part of it, such as `evidence.dare`.")
        if operator not in ("==", "!=") and a.name != "text":
            raise _Wrong(node, f"{_named(a)} has no order", "Use `==`, `!=` or `in`.")
        self._known(left, a, b)
        self._known(right, b, a)
        return BOOL

    def _span(self, node: Any) -> tuple[int, int]:
        start, length = _place(self.expression, node)
        return start, start + length

    def _member(self, left: Any, right: Any, a: Kind, b: Kind) -> Kind:
        if b.name != "list":
            fix = "Compare a part of it, such as `evidence.dare > 0.0`." if b.name == "map" else "Write `x in [..]`."
            raise _Wrong(right, f"`in` needs a list, and this is {_named(b)}", fix)
        if a.name != b.of:
            reason = f"{_named(a)} is looked for in a list of another type"
            raise _Wrong(left, reason, "Compare like with like (1 is a whole number, 1.0 is not).")
        if b.values:
            self._known(left, a, Kind("text", b.values))
        if a.values:
            for literal in self._literals(right):
                self._known(literal, TEXT, a)
        return BOOL

    def _known(self, node: Any, own: Kind, other: Kind) -> None:
        """A text written out must be one of those that the other side can be."""
        value = self._text_of(node)
        if value is not None and not own.values and other.values and value not in other.values:
            raise _Wrong(node, f'"{value}" is nothing that this can be', did_you_mean(value, other.values))

    def _text_of(self, node: Any) -> str | None:
        tokens = _tokens(node)
        if len(tokens) == 1 and tokens[0].type == "STRING_LIT":
            return str(tokens[0])[1:-1]
        return None

    def _literals(self, node: Any) -> list[Any]:
        if isinstance(node, Tree) and node.data == "literal":
            return [node]
        if isinstance(node, Tree):
            return [found for child in node.children for found in self._literals(child)]
        return []

    # -- numbers, texts, lists ---------------------------------------------------------------------------------------

    def on_addition(self, node: Tree[Token]) -> Kind:
        return self._arithmetic(node)[0]

    def on_multiplication(self, node: Tree[Token]) -> Kind:
        kind, operator = self._arithmetic(node)
        if not operator or (kind is not INT and operator == "multiplication_mul"):
            return kind
        if operator == "multiplication_mod" or (kind is INT and operator == "multiplication_div"):
            raise _Wrong(node, "whole numbers are not divided in rules", "Multiply the other side instead.")
        if kind is INT:
            left, right = node.children[0].children[0], node.children[1]  # type: ignore[union-attr]
            if not any(_is_number(side) for side in (left, right)) or any(map(_multiplies, (left, right))):
                raise _Wrong(node, "whole numbers are multiplied with each other", "Only `2 * x` is possible.")
        return kind

    def _arithmetic(self, node: Tree[Token]) -> tuple[Kind, str]:
        """The type, and the operator's name (empty: nothing is done here)."""
        if len(node.children) == 1:
            return self.kind(node.children[0]), ""
        head, right = node.children
        assert isinstance(head, Tree)
        left = head.children[0]
        a, b = self._needs(left, "int", "double"), self._needs(right, "int", "double")
        if a.name != b.name:
            raise _Wrong(right, "whole numbers and numbers with decimals are mixed", "Write both with `.0`.")
        return a, str(head.data)

    def on_literal(self, node: Tree[Token]) -> Kind:
        token = node.children[0]
        names = {"INT_LIT": INT, "FLOAT_LIT": DOUBLE, "STRING_LIT": TEXT, "BOOL_LIT": BOOL}
        if not isinstance(token, Token) or token.type not in names:
            raise _Wrong(node, "this is not available in rules", "Use texts, numbers, true and false.")
        kind = names[token.type]
        if kind in (INT, DOUBLE) and not (_NUMBER.fullmatch(token) and abs(float(token)) <= MAX_NUMBER):
            raise _Wrong(node, f"`{token}` is no number for a rule", "Write it plainly, such as `3` or `0.5`.")
        if kind is TEXT and (token[0] not in "\"'" or "\\" in token):
            raise _Wrong(node, "escapes are not available in rules", "Write the text plainly.")
        return kind

    def on_list_lit(self, node: Tree[Token]) -> Kind:
        parts = [child for part in node.children if isinstance(part, Tree) for child in part.children]
        if not parts:
            raise _Wrong(node, "the list is empty", "Name what it may be, or use `size(..) == 0`.")
        kinds = [self._needs(part, *_PLAIN) for part in parts]
        if len({kind.name for kind in kinds}) > 1:
            raise _Wrong(node, "the list holds things of different types", "Keep to one type.")
        return Kind("list", (), kinds[0].name)

    def on_ident(self, node: Tree[Token]) -> Kind:
        name = str(node.children[0])
        if name not in self.variables:
            raise _Wrong(node, f"there is no `{name}`", OTHERS.get(name) or did_you_mean(name, self.variables))
        return self.variables[name]

    def on_member_dot(self, node: Tree[Token]) -> Kind:
        whole, part = node.children
        return self._of_map(whole, str(part), part)

    def on_member_index(self, node: Tree[Token]) -> Kind:
        whole, part = node.children
        value = self._text_of(part)
        if value is None:
            raise _Wrong(part, "a name in quotes is expected here", 'Write it as `evidence["dare"]`.')
        return self._of_map(whole, value, part)

    def _of_map(self, whole: Any, name: str, where: Any) -> Kind:
        kind, of = self.kind(whole), "".join(map(str, _tokens(whole)))
        if kind.name != "map":
            raise _Wrong(where, f"{_named(kind)} has no parts", "Leave `.` and what follows away.")
        if name not in kind.values:
            fix = did_you_mean(name, kind.values) if kind.values else f"Declare it under `{of}s`."
            raise _Wrong(where, f"there is no `{name}` in `{of}`", fix)
        return Kind(kind.of)

    def on_ident_arg(self, node: Tree[Token]) -> Kind:
        name, *arguments = node.children
        given = arguments[0].children if arguments and isinstance(arguments[0], Tree) else []
        if str(name) != "size" or len(given) != 1:
            fix = "Only `size(list)` and `list.exists(x, ...)`."
            raise _Wrong(name, f"there is no function `{name}` with {len(given)} arguments here", fix)
        self._needs(given[0], "list")
        return INT

    def on_member_dot_arg(self, node: Tree[Token]) -> Kind:
        whole, name, *rest = node.children
        given = rest[0].children if rest and isinstance(rest[0], Tree) else []
        if str(name) not in _MACROS or len(given) != 2:
            fix = f"Use one of {', '.join(f'`.{macro}(x, ...)`' for macro in _MACROS)}."
            raise _Wrong(name, f"there is no `.{name}(...)` like this", fix)
        kind = self._needs(whole, "list")
        variable, body = given
        tokens = _tokens(variable)
        bound = str(tokens[0]) if tokens else ""
        if len(tokens) != 1 or tokens[0].type != "IDENT":
            raise _Wrong(variable, "a name is expected here", f"Write `.{name}(x, ...)`.")
        if bound in self.variables or bound in RESERVED or bound == "size":
            raise _Wrong(variable, f"`{bound}` has a meaning already", f"Write `.{name}(x, ...)`.")
        inner = _Checker(self.expression, self.variables | {bound: Kind(kind.of, kind.values)})
        inner._needs(body, "bool")
        return BOOL


def _is_number(node: Any) -> bool:
    tokens = _tokens(node)
    return len(tokens) == 1 and tokens[0].type == "INT_LIT"


def _multiplies(node: Any) -> bool:
    if isinstance(node, Token):
        return False
    return node.data == "multiplication_mul" or any(map(_multiplies, node.children))
