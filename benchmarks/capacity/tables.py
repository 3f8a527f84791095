"""The tables of docs/SCALING.md, from the results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.capacity import assumptions
from benchmarks.capacity.paper import MONTH

Results = dict[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def money(dollars: float) -> str:
    """Dollars with as many digits as mean anything."""
    if 0 < dollars < 10:
        return f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.3g}"
    return f"${dollars:,.0f}"


def number(value: float) -> str:
    """Thousands apart."""
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def needed(results: Results) -> str:
    """What to have for how many videos a day."""
    rows = []
    for row in results["scale"]:
        fleet = row["fleet"]
        one = fleet["workers"] == 1
        rows.append([
            number(row["videos"]), number(fleet["workers"]), number(fleet["gpus"]),
            f"{fleet['accounts']} × {fleet['lanes']}", number(fleet["projects"]),
            "on it" if one else str(fleet["database"]), "on it" if one else str(row["answering"]),
            f"{row['waited'][1]:.1f} s", f"{row['took'][0]:.0f} s, {row['took'][1]:.0f} s",
            f"{row['binds']} {100 * row['in_use'][row['binds']]:.0f} %",
        ])  # fmt: skip
    heads = ("videos a day", "workers", "GPUs", "ElevenLabs: accounts × requests at once",
             "Deepgram projects", "cores of PostgreSQL", "machines that answer",
             "wait for a place, p95", "done after, p50, p95", "fullest")  # fmt: skip
    return table(heads, rows)


def prices(results: Results) -> str:
    """What it costs a day."""
    rows = []
    for row in results["scale"]:
        spent = row["dollars_day"]
        rows.append([
            number(row["videos"]), money(spent["ElevenLabs"]), money(spent["Deepgram"]),
            money(spent["OpenAI"]), money(spent["workers"]), money(spent["GPUs"]),
            money(spent["database and answers"]), money(spent["store"]), money(row["day"]),
            f"${row['video']:.3f} (${row['high_video']:.3f})",
        ])  # fmt: skip
    heads = ("videos a day", "ElevenLabs", "Deepgram", "OpenAI", "workers", "GPUs", "database, answers",
             "store", "a day", "a video (dearest prices)")  # fmt: skip
    return table(heads, rows)


def asked(results: Results) -> str:
    """What others must grant."""
    rows = [
        [number(row["videos"]), number(row["openai_requests_minute"]), number(row["openai_tokens_minute"]),
         number(row["credits_month"]), number(row["transactions_second"]), number(row["stored_gb"])]
        for row in results["scale"]
    ]  # fmt: skip
    heads = ("videos a day", "OpenAI: requests a minute", "OpenAI: tokens a minute",
             "ElevenLabs: credits a month", "database: transactions a second", "store: GB kept")  # fmt: skip
    return table(heads, rows)


def limits(results: Results) -> str:
    """The most by workers, and what binds."""
    rows = [
        [row["set"], number(row["workers"]), number(row["paper"]), number(row["videos_a_day"]),
         f"{row['binds']} {100 * row['in_use'][row['binds']]:.0f} %"]
        for row in results["limits"] if row["workers"] in (1, 10, 100, 1000)
    ]  # fmt: skip
    return table(("besides workers", "workers", "by arithmetic", "simulated", "binds"), rows)


def places(results: Results) -> str:
    """One worker by its places."""
    rows = [
        [str(row["slots"]), number(row["videos_a_day"]), f"{100 * row['in_use']['worker CPU']:.0f} %",
         f"{row['took'][0] - row['waited'][0]:.0f} s"]
        for row in results["places"]
    ]  # fmt: skip
    return table(("places", "videos a day", "CPU in use", "a job takes"), rows)


def days(results: Results) -> str:
    """Whole days."""
    rows = [
        [f"{row['fleet_for']}: workers {row['fleet']['workers']}, GPUs {row['fleet']['gpus']}",
         row["pattern"], _two(row["waited"]), _two(row["took"]),
         f"{row['binds']} {100 * row['in_use'][row['binds']]:.0f} %"]
        for row in results["days"]
    ]  # fmt: skip
    heads = ("bought for", "videos come", "wait for a place, p50, p95", "done after, p50, p95",
             "fullest, over the day")  # fmt: skip
    return table(heads, rows)


def _two(seconds: Sequence[float]) -> str:
    return f"{seconds[0]:,.0f} s, {seconds[1]:,.0f} s"


def plans(results: Results) -> str:
    """What a plan of ElevenLabs allows."""
    rows = [
        [row["plan"], str(row["concurrency"]), number(row["by_requests"]), number(row["credits"]),
         number(row["by_credits"]), money(row["dollars"])]
        for row in results["plans"]
    ]  # fmt: skip
    heads = ("plan", "requests at once", "videos a day by that", "credits a month", "videos a day by those",
             "a month")  # fmt: skip
    return table(heads, rows)


def lengths(results: Results) -> str:
    """What one video asks for."""
    rows = [
        [number(row["minutes"]), f"{row['worker_cpu']:g} s", f"{row['separating_cpu']:g} s",
         f"{row['gpu']:g} s", f"{row['database_cpu']:g} s", number(row["transactions"]),
         str(row["requests"]), f"{row['speech_seconds']:g} s", f"{number(row['stored_mb'])} MB",
         f"{row['alone']:g} s", money(sum(row["dollars"].values()))]
        for row in results["lengths"]
    ]  # fmt: skip
    heads = ("minutes", "CPU of a worker", "more without GPU", "GPU", "CPU of PostgreSQL", "transactions",
             "requests to clouds", "ElevenLabs, all requests together", "left in the store",
             "alone, it takes", "providers")  # fmt: skip
    return table(heads, rows)


def prototype(results: Results) -> str:
    """The prototype's table beside ours."""
    rows = [
        [number(row["videos"]), money(row["told_machines"]), money(row["told_api"]), money(row["told_total"]),
         money(row["its_price_a_month"]), money(row["ours_machines"]), money(row["ours_api"]),
         money(row["ours_total"])]
        for row in results["prototype"]
    ]  # fmt: skip
    heads = ("videos a day", "told: machines", "told: APIs", "told: a month", "its own $0.16 × 30 days",
             "here: machines, store", "here: APIs", "here: a month")  # fmt: skip
    return table(heads, rows)


def checked(validated: Results) -> str:
    """Simulated against measured."""
    rows = [
        [str(row["slots"]), str(row["jobs"]), f"{row['slowness']:g}", f"{row['measured_s']:g} s",
         f"{row['simulated_s']:g} s", f"{row['simulated_by_measured']:g}", f"{row['measured_job_s']:g} s",
         f"{row['simulated_job_s']:g} s"]
        for row in validated["rows"]
    ]  # fmt: skip
    heads = ("places", "jobs at once", "the machine's slowness", "all done: measured", "simulated", "ratio",
             "one job: measured", "simulated")  # fmt: skip
    return table(heads, rows)


def sources() -> str:
    """What was not measured here, and who says so."""
    known = assumptions.table()
    work, worker, gpu, store = known["workload"], known["worker"], known["gpu"], known["store"]
    kept = f"${store['dollars_gb_month']:g} a GB and month, ${store['dollars_gb_out']:g} a GB out"
    rows = [
        ["the busiest hour", f"{work['peak']:g} × the average", work["peak_source"]],
        ["spread of latencies", f"{work['variation']:g}", work["variation_source"]],
        ["source", f"{work['source_mbit']:g} Mbit/s", work["source_mbit_source"]],
        ["worker", f"{worker['name']}, {worker['cores']} cores, ${worker['dollars_hour']:g} an hour",
         worker["source"]],
        ["its link", f"{worker['link_mbit']} Mbit/s", worker["link_source"]],
        ["GPU", f"{gpu['name']}, ${gpu['dollars_hour']:g} an hour", gpu["source"]],
        *([f"{row['engine'].partition('.')[2]} on {row['gpu']}",
           f"{row['seconds']:g} s a minute{', used' if row.get('used') else ''}", row["source"]]
          for row in known["gpu_seconds"]),
        ["Deepgram", f"{known['deepgram']['concurrency']} requests at once a project",
         known["deepgram"]["source"]],
        ["OpenAI", f"{known['openai']['lanes']} requests at once a worker",
         f"{known['openai']['lanes_source']}; {known['openai']['source']}"],
        ["ElevenLabs", "the plans above", known["elevenlabs_source"]["source"]],
        ["store", f"{kept}, {store['retention_days']} days", store["source"]],
        ["month", f"{MONTH:g} days", "assumed"],
    ]  # fmt: skip
    return table(("what", "figure", "source"), rows)
