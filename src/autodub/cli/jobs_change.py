"""``autodub jobs cancel``, ``retry`` and ``delete``."""

from __future__ import annotations

import click

from autodub.cli import show_jobs
from autodub.cli.calls import Calls
from autodub.cli.common import emit, json_option
from autodub.cli.jobs_server import connected, resolved, server_option, watched


@click.command("cancel")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@server_option
@json_option
@click.pass_obj
def cancel_command(calls: Calls, /, *, jobs: tuple[str, ...], server: str | None, as_json: bool) -> int:
    """Stop jobs; what is finished is kept for a retry."""
    with connected(calls, server) as client:
        done = [client.jobs.cancel(resolved(client, job)) for job in jobs]
    if as_json:
        emit({"jobs": [job.model_dump(mode="json") for job in done]})
    else:
        show_jobs.show_list(done)
    return 0


@click.command("retry", short_help="Queue a failed or cancelled job again.")
@click.argument("job")
@click.option("--watch", is_flag=True, help="Stay until it is done, showing its progress.")
@server_option
@json_option
@click.pass_obj
def retry_command(calls: Calls, /, *, job: str, watch: bool, server: str | None, as_json: bool) -> int:
    """Queue a job again that failed or was cancelled; it goes on from what was kept."""
    with connected(calls, server) as client:
        before = client.jobs.get(resolved(client, job))
        done = client.jobs.retry(before.id)
        if watch:
            done = watched(client, done.id, after=before.events)
    if as_json:
        emit(done.model_dump(mode="json"))
    else:
        show_jobs.show(done)
    return 0


@click.command("delete", short_help="Remove jobs with everything of them.")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@server_option
@json_option
@click.pass_obj
def delete_command(calls: Calls, /, *, jobs: tuple[str, ...], server: str | None, as_json: bool) -> int:
    """Remove jobs with everything of them: files, cloned voices, text."""
    with connected(calls, server) as client:
        found = [resolved(client, job) for job in jobs]
        for job in found:
            client.jobs.delete(job)
    if as_json:
        emit({"deleted": found})
    else:
        click.echo(f"Deleted: {', '.join(job[:8] for job in found)}")
    return 0
