"""`loop schema`: JSON Schemas for editors, and the generated reference pages."""

from __future__ import annotations

import json

import click

from runner.cli.repository import find_root
from runner.errors import TerminalError

EXAMPLES = """\b
Examples:
  loop schema rollout     the schema of policies/rollout.yaml
  loop schema --write     write schemas/ and docs/reference/ anew, after types or commands were changed
  loop schema --check     exit code 1 where one of them is outdated
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option("--write", is_flag=True, help="Write every generated file.")
@click.option("--check", is_flag=True, help="Only compare the generated files with what they should be.")
@click.pass_context
def command(ctx: click.Context, name: str | None, write: bool, check: bool) -> int:
    """Print the JSON Schema of one kind of file (loop, model, dataset, or a policy's NAME)."""
    from runner.spec import schemas

    if (name is not None) + write + check != 1:
        raise click.UsageError(
            f"say one of NAME, --write or --check; names: {', '.join(schemas.FILE_TYPES)}", ctx
        )
    if name is not None:
        if name not in schemas.FILE_TYPES:
            raise click.UsageError(
                f"there is no file kind '{name}'; known: {', '.join(schemas.FILE_TYPES)}", ctx
            )
        click.echo(json.dumps(schemas.schema(name), indent=2, ensure_ascii=False))
        return 0
    return _write(ctx) if write else _check(ctx)


def _rendered(ctx: click.Context) -> dict[str, str]:
    """Return path -> text of every generated file."""
    from runner.cli import reference as pages
    from runner.spec import reference, schemas

    group = ctx.find_root().command
    assert isinstance(group, click.Group)  # noqa: S101 - it is the group that called us
    return {
        **schemas.render(),
        reference.PATH: reference.render(),
        "docs/reference/cli.md": pages.commands(group),
        "docs/reference/events.md": pages.events(),
    }


def _write(ctx: click.Context) -> int:
    root = find_root(ctx)
    for path, text in _rendered(ctx).items():
        target = root / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            click.echo(f"wrote {path}")
    return 0


def _check(ctx: click.Context) -> int:
    from runner.spec import schemas
    from runner.spec.files import DirectoryFiles
    from runner.spec.lint import SCHEMA_FOLDER

    files, rendered = DirectoryFiles(find_root(ctx)), _rendered(ctx)
    stale = schemas.stale(files, rendered, SCHEMA_FOLDER)
    if stale:
        raise TerminalError(*stale)
    click.echo(f"fresh: {len(rendered)} generated files")
    return 0
