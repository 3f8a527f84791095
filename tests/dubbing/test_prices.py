"""Price tables: which row holds, what an operator may write, what is refused and how it is said."""

from decimal import Decimal

import pytest

from autodub.dubbing.prices import PriceTable, load, own
from autodub.infra import price_list
from autodub.model.errors import BadOption
from autodub.model.usage import Price

ROW = '[[price]]\nengine = "translator.openai"\nunit = "tokens_out"\n'


def _table(*rows, dated="2026-01-01"):
    return load(f'dated = "{dated}"\n' + "".join(ROW + row for row in rows))


def test_the_longest_name_that_fits_holds():
    """A row for one model stands before one for its family, and that before one for all."""
    table = _table('dollars = "3"\n', 'model = "gpt*"\ndollars = "2"\n', 'model = "gpt-6*"\ndollars = "1"\n')
    costs = [
        table.dollars("translator.openai", model, "tokens_out", 1)
        for model in ("gpt-6-luna-2026-09", "gpt-7", "llama")
    ]
    assert costs == [1, 2, 3]


def test_own_rows_stand_before_better_fitting_ones():
    """What the operator says holds, however vaguely; the older date is shown."""
    table = _table('model = "gpt-6-luna"\ndollars = "9"\n', dated="2026-06-01")
    mine = load('dated = "2026-03-01"\n' + ROW + 'dollars = "1"\n', is_own=True)
    merged = table.merged(mine)
    assert merged.dollars("translator.openai", "gpt-6-luna", "tokens_out", 1) == 1
    assert merged.dated == "2026-03-01"
    undated = table.merged(own((Price("translator.openai", "", "tokens_out", Decimal(2)),)))
    assert undated.dollars("translator.openai", "gpt-6-luna", "tokens_out", 1) == 2
    assert undated.dated == "2026-06-01"


def test_unknown_models_have_no_price_and_other_units_cost_nothing():
    """Only what the table names for a model is charged; a model it does not name has no price at all."""
    table = _table('model = "gpt-6*"\ndollars = "1"\nper = 1000\n')
    assert table.dollars("translator.openai", "gpt-6-sol", "tokens_out", 500) == Decimal("0.5")
    assert table.dollars("translator.openai", "gpt-6-sol", "requests", 500) == 0
    assert table.dollars("translator.openai", "llama", "tokens_out", 500) is None
    assert table.cost("translator.openai", "llama", {}) == 0
    assert table.cost("translator.openai", "llama", {"tokens_out": 1}) is None
    assert not table.knows("translator.other", "gpt-6-sol")


def test_money_is_exact():
    """No cent is lost to binary fractions, however the price is written."""
    table = _table("dollars = 0.1\n")
    assert table.dollars("translator.openai", "x", "tokens_out", 3) == Decimal("0.3")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dated = ", "not valid TOML"),
        ('dated = "2026-13-01"', "date"),
        ("", "date"),
        ('dated = "2026-01-01"\nprices = 1', "unknown entry 'prices'"),
        ('dated = "2026-01-01"\nprice = 1', r"\[\[price\]\] rows"),
        ('dated = "2026-01-01"\n' + ROW, "Row 1 .* needs dollars"),
        ('dated = "2026-01-01"\n' + ROW + "dollars = -1", "dollars of 0 or more"),
        ('dated = "2026-01-01"\n' + ROW + 'dollars = "much"', "dollars"),
        ('dated = "2026-01-01"\n' + ROW + "dollars = true", "dollars"),
        ('dated = "2026-01-01"\n' + ROW + "dollars = nan", "dollars"),
        ('dated = "2026-01-01"\n' + ROW + "dollars = 1\nper = 0", "per"),
        ('dated = "2026-01-01"\n' + ROW + 'dollars = 1\nhigh = "x"', "high"),
        ('dated = "2026-01-01"\n' + ROW + "dollars = 1\nmodel = 3", "model"),
        ('dated = "2026-01-01"\n' + ROW + "dollars = 1\nprize = 3", "unknown fields .prize."),
        ('dated = "2026-01-01"\n[[price]]\nengine = "openai"\nunit = "x"\ndollars = 1', "role.name"),
        ('dated = "2026-01-01"\n[[price]]\nengine = "a.b"\ndollars = 1', "unit"),
        ('dated = "2026-01-01"\n' + ROW + 'dollars = 1\nchecked = "soon"', "checked"),
    ],
)
def test_a_table_that_is_none_is_refused(text, problem):
    """Every mistake is named with its row, and how a row looks."""
    with pytest.raises(BadOption, match=problem) as caught:
        load(text)
    assert caught.value.hint


def test_the_table_that_ships_is_sound():
    """It has a date, a day for every row, no price above its high, and the models engines use by default."""
    table = price_list.builtin()
    assert table.dated
    for row in table.rows:
        assert row.checked
        assert row.note
        assert row.high >= row.price.dollars
    for engine, model in (
        ("transcriber.deepgram", "nova-3"),
        ("translator.openai", "gpt-6-luna"),
        ("translator.openai", "gpt-6.1-terra"),
        ("synthesizer.elevenlabs", "eleven_multilingual_v2"),
        ("synthesizer.elevenlabs", "eleven_flash_v2_5"),
        ("cloner.elevenlabs", ""),
    ):
        assert table.knows(engine, model), model


def test_defaults_of_the_engines_have_a_price():
    """No paid engine that ships has a default model nobody has priced."""
    from autodub.engines import deepgram, elevenlabs, openai

    table = price_list.builtin()
    for engine, model in (
        ("transcriber.deepgram", deepgram.Deepgram.Options().model),
        ("translator.openai", openai.OpenAI.Options().model),
        ("synthesizer.elevenlabs", elevenlabs.ElevenLabs.Options().model_id),
    ):
        assert table.knows(engine, model), model


def test_a_table_of_ones_own_is_read_from_a_file(tmp_path):
    """Its rows stand before the built-in ones; without a file there are only those."""
    path = tmp_path / "prices.toml"
    path.write_text(ROW + 'model = "gpt-6-luna"\ndollars = "7"\n')
    mine = price_list.table(path)
    assert mine.dollars("translator.openai", "gpt-6-luna", "tokens_out", 1) == 7
    assert mine.knows("transcriber.deepgram", "nova-3")
    assert price_list.table(None) is price_list.builtin()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"dated ="])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    """A missing, binary or broken file is the user's to fix, by name."""
    path = tmp_path / "prices.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadOption, match=r"prices\.toml"):
        price_list.table(path)


def test_an_empty_table_is_allowed():
    """Nothing is priced by it."""
    assert PriceTable().row("a.b", "c", "d") is None
