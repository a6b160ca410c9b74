"""All commands, put together."""

import typer

from api.cli import demo, log, read, serve, verify, write

app = typer.Typer(
    name="tallystick",
    help="A verifiable registry of electronic receivable vouchers (应收账款电子凭证).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("audit")(verify.audit)
app.command("verify")(verify.verify)
nouns: dict[str, typer.Typer] = {}
for module in (verify, log, read, write):
    for noun, verb, command in module.COMMANDS:
        if noun not in nouns:
            nouns[noun] = typer.Typer(no_args_is_help=True, help=f"Everything about a {noun}.")
            app.add_typer(nouns[noun], name=noun)
        nouns[noun].command(verb)(command)
