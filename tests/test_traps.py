"""What other dubbing programs got wrong, and which tests keep each of it from happening here.

Every trap has at least one guard; a guard that is renamed, emptied or skipped for good is missed.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Trap:
    """One trap, the tests that guard it, and what of it cannot happen yet."""

    what: str
    guards: tuple[str, ...]
    not_yet: str = ""


TRAPS = {
    "R1": Trap(
        "inverted tempo factor: speech that is too long gets longer",
        (
            "dubbing/test_timing_plan.py::test_speech_that_is_too_long_never_gets_longer",
            "dubbing/test_timing_plan.py::test_every_table_has_a_plan_within_the_bounds",
            "media/test_stretch.py::test_too_long_speech_gets_shorter",
        ),
    ),
    "R2": Trap(
        "lost leading silence, accumulated gaps",
        (
            "dubbing/test_timing_plan.py::test_no_error_accumulates",
            "dubbing/test_fitting.py::test_placing_is_exact_to_the_sample",
            "media/test_render.py::test_clips_land_on_their_sample",
            "pipeline/test_dub_traps.py::test_lines_sound_where_they_should_at_any_rate",
            "e2e/test_real_media.py::test_given_subtitles_are_spoken",
        ),
    ),
    "R3": Trap(
        "sample rates mixed up",
        (
            "media/test_sound.py::test_resampling_keeps_onsets",
            "media/test_mux.py::test_every_rate_gives_the_same_onsets",
            "pipeline/test_dub_traps.py::test_lines_sound_where_they_should_at_any_rate",
        ),
    ),
    "R4": Trap(
        "picture stretched to fit the speech",
        (
            "media/test_mux.py::test_picture_is_copied_and_sound_is_in_step",
            "pipeline/test_dub_traps.py::test_the_end_of_a_film_is_not_cut",
            "e2e/test_real_media.py::test_sound_shorter_than_the_picture",
        ),
        not_yet="drift over two hours is measured by `make bench`: too long for a test",
    ),
    "R5": Trap(
        "the end of the film cut off where speech ends",
        (
            "media/test_mux.py::test_a_long_picture_is_not_cut",
            "pipeline/test_dub_traps.py::test_the_end_of_a_film_is_not_cut",
            "e2e/test_real_media.py::test_sound_shorter_than_the_picture",
        ),
    ),
    "R6": Trap(
        "one long line aborts the job",
        (
            "dubbing/test_timing_plan.py::test_a_line_three_times_too_long_is_planned_and_flagged",
            "dubbing/test_fitting.py::test_a_hopeless_line_is_flagged_and_everything_is_placed",
            "pipeline/test_dub_traps.py::test_a_line_three_times_too_long_does_not_stop_the_dub",
        ),
    ),
    "R7": Trap(
        "lines dropped or silent without a word",
        (
            "pipeline/test_dub_pipeline.py::test_every_line_is_spoken_and_every_file_is_there",
            "pipeline/test_dub_pipeline.py::test_one_line_nobody_can_speak_costs_itself",
            "pipeline/test_dub_pipeline.py::test_speech_nobody_understood_stays",
            "quality/test_measure_dub.py::test_muted_line_is_caught",
        ),
    ),
    "R8": Trap(
        "words cut",
        (
            "media/test_trim.py::test_quiet_onsets_survive",
            "media/test_render.py::test_a_full_rate_clip_is_placed_unchanged_but_for_its_edges",
            "media/test_render.py::test_pauses_and_stretch_fill_exactly_the_planned_frames",
            "quality/test_dub_stem.py::test_cut_words_show_at_the_edges",
        ),
    ),
    "R9": Trap(
        "pauses inside a line deleted",
        (
            "media/test_trim.py::test_inner_pauses_stay_and_are_listed",
            "dubbing/test_fitting.py::test_cuts_leave_every_pause_its_share",
        ),
    ),
    "R10": Trap(
        "error text, prompts or the source spoken",
        (
            "dubbing/test_text.py::test_errors_refusals_and_prompts_are_recognised",
            "dubbing/test_translation.py::test_a_bad_reply_is_refused",
            "pipeline/test_dub_pipeline.py::test_nothing_a_translator_refuses_is_spoken",
            "pipeline/test_dub_traps.py::test_what_is_no_translation_is_never_spoken",
            "pipeline/test_dub_traps.py::test_words_of_a_failing_provider_are_never_spoken",
            "dubbing/test_text.py::test_a_short_copy_counts_where_languages_are_far_apart",
            "engines/test_openai.py::test_what_is_no_translation_never_comes_back",
            "e2e/test_cloud_traps.py::test_what_a_model_says_instead_of_a_translation_is_never_spoken",
            "e2e/test_cloud_traps.py::test_a_line_the_model_will_not_translate_stays_and_is_listed",
        ),
    ),
    "R11": Trap(
        "numbers read in the wrong language",
        (
            "dubbing/test_text.py::test_text_is_cleaned",
            "dubbing/test_syllables.py::test_what_is_not_spelled_out_is_estimated",
            "dubbing/test_numerals.py::test_numbers_are_written_as_they_are_read",
            "engines/test_golden_numbers.py::test_texts_are_sent_as_the_golden_list_says",
            "engines/test_golden_numbers.py::test_elevenlabs_is_asked_to_read_them",
            "engines/test_golden_numbers.py::test_the_weights_free_voice_reads_them_in_its_language",
        ),
    ),
    "R12": Trap(
        "clipping",
        (
            "media/test_render.py::test_full_scale_source_and_dub_do_not_clip",
            "dubbing/test_mixing.py::test_ceiling_is_the_sources_own_peak_within_bounds",
            "quality/test_sound_figures.py::test_clipped_samples_are_counted",
        ),
    ),
    "R13": Trap(
        "hidden gain of the mixer",
        (
            "media/test_render.py::test_the_dub_does_not_depend_on_the_bed",
            "media/test_render.py::test_outside_speech_the_output_is_the_source",
            "test_safety.py::test_no_filter_changes_levels_on_its_own",
        ),
    ),
    "R14": Trap(
        "background degraded",
        (
            "media/test_render.py::test_layouts_are_kept",
            "media/test_spectral_cap.py::test_outside_speech_nothing_changes",
            "quality/test_sound_figures.py::test_null_of_an_untouched_file_is_bit_exact",
            "pipeline/test_dub_pipeline.py::test_every_line_is_spoken_and_every_file_is_there",
        ),
    ),
    "R15": Trap(
        "loud and quiet lines made equal",
        (
            "media/test_render.py::test_whisper_and_shout_keep_their_order",
            "dubbing/test_mixing.py::test_line_gains_follow_the_source_with_a_brake",
        ),
    ),
    "R16": Trap(
        "loudness tools that change the gain as they go",
        (
            "media/test_render.py::test_an_explicit_target_is_met_by_one_static_gain",
            "test_safety.py::test_no_filter_changes_levels_on_its_own",
        ),
    ),
    "R17": Trap(
        "a voice's cache without its sample",
        (
            "gateway/test_gateway_keys.py::test_references_of_two_speakers_are_two_keys",
            "pipeline/test_dub_traps.py::test_one_text_of_two_speakers_is_spoken_twice",
            "gateway/test_cloud_keys.py::test_references_of_two_speakers_speak_apart",
            "e2e/test_cloud_jobs.py::test_two_speakers_speak_in_voices_of_their_own",
        ),
    ),
    "R18": Trap(
        "cache keys that leave something out",
        (
            "gateway/test_gateway_keys.py::test_whatever_changes_the_sound_changes_the_key",
            "gateway/test_gateway_keys.py::test_name_version_role_and_options_change_the_key",
            "gateway/test_gateway_keys.py::test_context_given_to_a_transcriber_counts",
            "pipeline/test_dub_pipeline.py::test_another_voice_speaks_its_lines_anew",
            "gateway/test_cloud_keys.py::test_an_option_that_changes_the_answer_changes_the_key",
            "gateway/test_cloud_keys.py::test_how_long_and_how_many_at_once_changes_nothing",
            "gateway/test_cloud_keys.py::test_whatever_is_asked_changes_the_key",
            "gateway/test_cloud_keys.py::test_another_prompt_is_another_answer",
        ),
    ),
    "R19": Trap(
        "lines kept by their number",
        ("pipeline/test_dub_traps.py::test_every_line_plays_its_own_sound_after_edits",),
    ),
    "R20": Trap(
        "a line spoken again loses its voice",
        (
            "pipeline/test_dub_traps.py::test_a_line_spoken_again_keeps_its_voice",
            "e2e/test_cloud_traps.py::test_a_line_spoken_again_keeps_its_clone",
        ),
    ),
    "R21": Trap(
        "one edit dubs everything again",
        (
            "gateway/test_gateway_keys.py::test_the_same_request_has_the_same_key",
            "gateway/test_gateway_call.py::test_editing_one_line_makes_one_call",
            "pipeline/test_dub_pipeline.py::test_editing_one_line_speaks_one_line",
            "pipeline/test_dub_traps.py::test_a_default_written_out_is_the_same_dub",
            "e2e/test_real_media.py::test_editing_one_line_makes_one_synthesis",
        ),
    ),
    "R22": Trap(
        "an edit that nobody hears",
        (
            "pipeline/test_dub_pipeline.py::test_editing_one_line_speaks_one_line",
            "pipeline/test_dub_traps.py::test_every_line_plays_its_own_sound_after_edits",
        ),
    ),
    "R23": Trap(
        "a run that changes what it reads",
        (
            "media/test_mux.py::test_the_source_is_never_overwritten",
            "pipeline/test_outputs.py::test_the_source_is_never_the_output",
            "pipeline/test_dub_traps.py::test_a_run_changes_nothing_it_reads",
        ),
    ),
    "R24": Trap(
        "speakers by turns",
        (
            "dubbing/test_diarization.py::test_a_monologue_stays_one_speaker",
            "dubbing/test_diarization.py::test_turns_do_not_follow_parity",
            "engines/test_clustering.py::test_real_monologues_are_one_speaker",
        ),
    ),
    "R25": Trap(
        "overlapping turns spoken twice",
        (
            "dubbing/test_segmentation.py::test_every_word_once_and_no_speaker_overlaps_himself",
            "pipeline/test_dub_traps.py::test_overlapping_turns_give_each_word_once",
        ),
    ),
    "R26": Trap(
        "blank translations",
        (
            "dubbing/test_translation.py::test_a_good_reply_passes_in_the_order_of_the_lines",
            "dubbing/test_translation.py::test_a_bad_reply_is_refused",
            "pipeline/test_dub_traps.py::test_a_blank_translation_is_asked_for_again",
            "dubbing/test_prompting.py::test_wrong_replies_are_refused_with_the_line",
            "e2e/test_cloud_traps.py::test_what_a_model_says_instead_of_a_translation_is_never_spoken",
        ),
    ),
    "R27": Trap(
        "jobs that collide",
        (
            "pipeline/test_dub_pipeline.py::test_dubs_at_the_same_time_do_not_disturb_each_other",
            "e2e/test_cloud_jobs.py::test_two_jobs_share_an_account",
            "gateway/test_gateway_store.py::test_two_processes_share_the_work",
        ),
    ),
    "R28": Trap(
        "work lost by a crash",
        (
            "gateway/test_gateway_store.py::test_killed_at_any_instant",
            "pipeline/test_dub_pipeline.py::test_a_stopped_dub_goes_on_where_it_was",
            "e2e/test_real_media.py::test_killed_dubs_go_on_where_they_were",
            "e2e/test_cloud_jobs.py::test_a_killed_job_pays_again_for_calls_in_flight_only",
        ),
    ),
    "R29": Trap(
        "keys shown",
        (
            "infra/test_settings.py::test_keys_are_never_shown",
            "gateway/test_gateway_call.py::test_keys_reach_neither_errors_nor_logs",
            "cli/test_cli_survey.py::test_keys_are_never_shown",
            "pipeline/test_dub_traps.py::test_a_key_is_nowhere",
            "test_safety.py::test_no_key_is_in_the_repository",
            "engines/test_local.py::test_other_machines",
            "infra/test_addresses.py::test_hostile_addresses_are_refused_even_where_every_site_is_allowed",
            "engines/test_ytdlp_guard.py::test_a_connection_to_this_machine_is_refused",
            "engines/test_ytdlp.py::test_a_name_that_changes_its_meaning_is_refused",
            "engines/test_ytdlp.py::test_nothing_inside_a_manifest_leads_elsewhere",
            "e2e/test_cloud_traps.py::test_keys_are_nowhere_after_a_dub_with_faults",
            "e2e/test_cloud_traps.py::test_keys_are_nowhere_after_a_refusal",
        ),
    ),
    "R30": Trap(
        "data run as code",
        (
            "test_safety.py::test_no_data_becomes_code",
            "test_safety.py::test_programs_are_started_in_two_places_only",
            "infra/test_process.py::test_arguments_are_not_interpreted",
            "media/test_probe.py::test_odd_names",
            "media/test_probe.py::test_lists_are_not_followed",
            "engines/test_apertium.py::test_hostile_text_is_only_text",
            "engines/test_espeak.py::test_text_is_only_text",
            "pipeline/test_dub_traps.py::test_hostile_names_and_texts_are_only_data",
        ),
    ),
    "R31": Trap(
        "claims nobody measured",
        (
            "test_safety.py::test_no_figure_is_typed_by_hand",
            "test_docs.py::test_derived_documents_are_current",
        ),
    ),
}


@functools.cache
def functions_of(path: Path) -> dict[str, ast.FunctionDef]:
    """Name -> test of a file, as pytest would collect it."""
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def never_runs(test: ast.FunctionDef) -> bool:
    """Whether a test is switched off, or has nothing in it that can fail."""
    marks = " ".join(ast.unparse(decorator) for decorator in test.decorator_list)
    checks = [
        node
        for node in ast.walk(test)
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and "raises" in ast.unparse(node.func))
    ]
    return bool(re.search(r"mark\.(?:skip|xfail)\b", marks)) or not checks


def test_every_trap_is_listed() -> None:
    """All thirty-one traps, in order, each with a guard; what does not apply yet says why."""
    assert list(TRAPS) == [f"R{number}" for number in range(1, 32)]
    assert all(trap.guards and trap.what for trap in TRAPS.values())


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_keeps_its_guards(name: str) -> None:
    """Every test that guards a trap is there, can fail, and is not switched off."""
    for guard in TRAPS[name].guards:
        file, _, test = guard.partition("::")
        assert (TESTS / file).is_file(), guard
        assert test in functions_of(TESTS / file), guard
        assert not never_runs(functions_of(TESTS / file)[test]), guard


@pytest.mark.parametrize("body", ["@pytest.mark.skip\ndef test_a():\n assert x", "def test_a():\n call()"])
def test_a_test_that_cannot_fail_is_no_guard(body: str) -> None:
    """Skipped tests and tests without a check do not count."""
    (test,) = ast.parse(body).body
    assert isinstance(test, ast.FunctionDef)
    assert never_runs(test)
