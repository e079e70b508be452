"""How help is printed, and how a wrong command line is answered: in one line, as every other
mistake."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from typer._click.core import Context, Parameter
from typer._click.exceptions import NoArgsIsHelpError, UsageError
from typer.core import TyperCommand, TyperGroup, TyperOption

from watchdog.cli.console import end_on_closed_pipe, fail


class FoldedHelp(TyperCommand):
    """A command whose help is folded at the terminal's width. Typer keeps the line breaks of every
    paragraph of a docstring but the first, and the terminal then breaks those lines again. It
    refuses an option with one value that is given twice: Typer silently takes the last."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        paragraphs = inspect.cleandoc(self.help or "").split("\n\n")
        self.help = "\n\n".join(" ".join(each.split()) for each in paragraphs)

    def get_params(self, ctx: Context) -> list[Parameter]:
        return _without_bool(super().get_params(ctx))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:  # As while a shell completes a word.
            _, _, given = self.make_parser(ctx).parse_args(list(args))
            _refuse_repeated(ctx, [each for each in given if isinstance(each, TyperOption)])
        return super().parse_args(ctx, args)


def _refuse_repeated(ctx: Context, given: Sequence[TyperOption]) -> None:
    for number, option in enumerate(given):
        takes_one = not (option.multiple or option.is_flag or option.count)
        if takes_one and option in given[:number]:
            raise UsageError(f"Option {option.opts[0]} is given twice", ctx)


class Group(TyperGroup):
    """A group of commands with the same help."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        return _without_bool(super().get_params(ctx))


def _without_bool(parameters: list[Parameter]) -> list[Parameter]:
    """An option that takes no value has no type: Typer shows `<bool>` beside it."""
    for each in parameters:
        if isinstance(each, TyperOption) and each.is_flag:
            each.metavar = ""
    return parameters


class OneLineErrors(Group):
    """A group of commands that reports wrong usage in one line, in place of a box of several, and
    ends on a closed pipe with a code of its own, where Typer ends with 1. Typer exports neither its
    errors nor a place to print them."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        with _in_one_line():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Context) -> Any:
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        end_on_closed_pipe()
    except NoArgsIsHelpError:
        raise
    except UsageError as error:
        _fail(error)


def _fail(error: UsageError) -> None:
    command = error.ctx.command_path if error.ctx is not None else "baseten-watchdog"
    # Typer passes on the text of its own ValueError with pydantic's label for one.
    message = error.format_message().replace(": Value error, ", ": ")
    message = " ".join(message.split()).rstrip(".")
    fail(f"{message}: see `{command} --help`")
