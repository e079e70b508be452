"""The examples in each command's help: what is typed, and what it is for."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "init": (
        ("init", "choose models from a list"),
        ("init 'team-a/*' --yes", "watch all models of a team, without questions"),
    ),
    "doctor": (("doctor", "before the first `run`, and when something is wrong"),),
    "run": (
        ("run --model abc12345 --dry-run", "decide and record everything, send nothing"),
        ("run --config watchdog.yaml", "the daemon"),
    ),
    "check": (
        ("check", "look once, change nothing"),
        ("check --retry --json", "from cron: retry what may be retried"),
    ),
    "models": (("models", "what the key can see, or what is watched and why"),),
    "status": (
        ("status --state needs_you", "which models need a person, and why"),
        ("status llama-dev", "one model in detail"),
        ("status --team team-a --sort next", "a team, the next retry first"),
        ("status --state exhausted -o name", "their ids alone"),
        ("status --watch", "go on showing it; arrow keys scroll"),
    ),
    "history": (
        ("history --since 2d", "all that happened in two days"),
        ("history llama-dev", "one model's, with the last lines of its logs"),
        ("history --fleet", "when the breaker opened, and why it closed"),
    ),
    "pause": (
        ("pause 'team-a/*' --for 2h", "hands off a team for two hours"),
        ("pause llama-dev --for 30m --note 'pushing a fix'", "hands off one model"),
        ("pause --all --for 2h", "hands off everything, also models to come"),
    ),
    "resume": (
        ("resume llama-dev", "end its pause"),
        ("resume --all", "end the pause of all"),
    ),
    "reset": (
        ("reset llama-dev", "try it anew, after its cause was fixed"),
        ("reset --state exhausted --yes", "the same for all that were given up"),
    ),
    "retry": (
        ("retry llama-dev --wait", "retry it now, and wait for the result"),
        ("retry 'team-a/*' --state failing", "the failing models of a team"),
        ("retry llama-dev --force", "beyond its own limits"),
    ),
    "health": (("health", "for a container's health check"),),
    "emulator": (
        ("emulator --api-key demo", "a Baseten API on this machine, with no account"),
        ("emulator --api-key demo --scenario config/storm.yaml --time-scale 30", "bad weather"),
    ),
    "demo": (("demo", "see it work"),),
    "simulate": (
        ("simulate --fleet platform-incident", "the defaults beside what other programs do"),
        ("simulate --config new.yaml --days 30", "what a change of the configuration would do"),
    ),
    "replay": (
        ("replay --config new.yaml --since 7d", "last week, judged by another policy"),
        ("replay llama-dev --config new.yaml", "one model's past"),
    ),
    "config check": (
        ("config check", "the file that the other commands would read"),
        ("config check watchdog.yaml", "another file"),
    ),
    "config show": (("config show", "the values in force, and where each comes from"),),
    "config schema": (("config schema", "for your editor"),),
    "notify test": (
        ("notify test", "a sample to each receiver"),
        ("notify test --to ops", "to one of them"),
    ),
    "cause explain": (("cause explain build.log", "what a log would be taken for"),),
}
"""By the command's name."""


def epilog(command: str) -> str:
    """The end of a command's help. Each paragraph becomes one line."""
    lines = (f"baseten-watchdog {typed}  [dim]{what}[/dim]" for typed, what in EXAMPLES[command])
    return "\n\n".join(("[bold]Examples[/bold]", *lines))
