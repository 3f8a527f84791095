"""Speaking a dub: every line planned, spoken, measured, re-planned and placed.

The decisions are pure functions of ``dubbing``; this module strings them together. Lines are spoken
in growing portions, two of which are under way at a time; each is planned with what the voices showed
in those before them. The result depends on nothing but the requests, never on which call was
answered first::

    portions of lines that fit as they are naturally said      (others: other lengths are asked for)
    lines in other lengths, planned around what was spoken (still too long: one more length is asked for)
    once more whatever came out too far from its room
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from autodub.dubbing import pacing
from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import (
    Setting,
    chunks,
    fitting_share,
    flags,
    horizon,
    imagined,
    is_tight,
    learned,
    native_rate,
    place,
    rerated,
    retakes,
    settle,
    sides,
    slot,
    spoken,
)
from autodub.dubbing.syllables import features, syllables
from autodub.dubbing.timing import Fit, Slot, plan, refit
from autodub.dubbing.wording import loss, shares, syllables_for
from autodub.model.errors import EngineError
from autodub.model.media import Clip
from autodub.model.speech import Voice, Wording
from autodub.pipeline.booth import Ask, Booth, Said
from autodub.pipeline.run import Run
from autodub.pipeline.takes import Part, Programme, Spoken, Take
from autodub.pipeline.translating import Wordings

__all__ = ["Part", "Programme", "Spoken", "Take", "speak"]

PAID_QUANTILE = 0.7
"""Where synthesis is billed lines are planned a little long, which saves speaking them twice."""
_AHEAD = 12
"""Lines beyond a portion that are planned with it."""
_FEWEST = 3
"""Syllables of the shortest wording worth asking for."""


def speak(
    run: Run,
    booth: Booth,
    wordings: Wordings,
    voices: Mapping[str, Voice],
    programme: Programme,
    *,
    paced: frozenset[str] = frozenset(),
) -> Spoken:
    """Speak every line that has a translation. Raises the engine's error when not one can be spoken.

    ``paced`` are the speakers whose pace a person set.
    """
    session = _Session(run, booth, wordings, voices, programme)
    if not booth.paid:  # a paid voice speaks at its own pace, and is learned on the job
        session.audition(paced)
    session.speak_natural()
    session.speak_further()
    again = session.say_again(session.surrounded)
    session.collect_natural()
    again |= session.say_again(session.spoken - session.tight - again)
    again |= session.speak_tight()
    session.collect()
    session.say_again(session.order - again)
    session.collect()
    return session.settled()


class _Session:
    """The lines of a dub while they are being spoken. Lines are known by their position."""

    def __init__(
        self,
        run: Run,
        booth: Booth,
        wordings: Wordings,
        voices: Mapping[str, Voice],
        programme: Programme,
    ) -> None:
        self._run, self._booth, self._wordings, self._programme = run, booth, wordings, programme
        self._lines = wordings.lines
        self._voices = dict(voices)
        self._side = sides(self._lines)
        self._models = {line.speaker: Duration.of(voices[line.speaker].language) for line in self._lines}
        self._texts: dict[int, tuple[Wording, ...]] = {}
        self._slots: dict[int, Slot] = {}
        self._clips: dict[int, Clip] = {}
        self._predicted: dict[int, float | None] = {}
        self._taught: frozenset[int] = frozenset()
        self._failed: dict[int, EngineError] = {}
        self._later: set[int] = set()
        self.tight: frozenset[int] = frozenset()
        """Lines of which no wording fits, so that one more was asked for."""
        self._waiting: deque[dict[int, tuple[int, Said]]] = deque()
        self._repeated: dict[int, tuple[int, Said]] = {}

    @property
    def order(self) -> frozenset[int]:
        """Lines that are spoken, or under way."""
        return frozenset(self._slots)

    @property
    def spoken(self) -> frozenset[int]:
        """Lines that are spoken."""
        return frozenset(self._clips)

    @property
    def surrounded(self) -> frozenset[int]:
        """Lines that are spoken as well as the line after them, so that their room is known."""
        return (
            frozenset(i for i in self._clips if i + 1 in self._clips or i + 1 not in self._slots) - self.tight
        )

    # --- Getting to know the voices --------------------------------------------------------------------

    def audition(self, paced: frozenset[str]) -> None:
        """Have each voice speak a few lines, learn its tempo, and give it a pace that suits its speaker."""
        taught: set[int] = set()
        self._read(range(len(self._lines)))
        for speaker in dict.fromkeys(line.speaker for line in self._lines):
            own = [i for i in self._texts if self._lines[i].speaker == speaker]
            if own:
                taught |= self._auditioned(speaker, own, is_paced=speaker in paced)
        self._taught = frozenset(taught)
        self._run.gateway.cancel.check()

    def _auditioned(self, speaker: str, own: Sequence[int], *, is_paced: bool) -> set[int]:
        voice, fresh = self._voices[speaker], self._models[speaker]
        chosen = [own[i] for i in pacing.auditions([self._texts[i][0].text for i in own])]
        asks = [Ask(self._texts[i][0].text, replace(voice, pace=1.0), 1.0) for i in chosen]
        said = self._booth.speak(asks)
        clips = [(i, clip) for i, clip in zip(chosen, said, strict=True) if isinstance(clip, Clip)]
        at_one = fresh
        for i, clip in clips:
            at_one = learned(at_one, self._texts[i][0].text, clip)
        if not is_paced:
            rooms = [
                (
                    self._lines[i].span.duration / 1000,
                    at_one.predict(features(self._texts[i][0].text, at_one.language))[0],
                )
                for i in own
            ]
            voice = replace(voice, pace=pacing.pace(rooms, at_one))
        self._voices[speaker] = voice
        for i, clip in clips:  # the model speaks of the voice at its pace
            fresh = learned(fresh, self._texts[i][0].text, replace(clip, rate=1 / voice.pace))
        self._models[speaker] = fresh
        return {i for i, _ in clips}

    # --- Speaking ----------------------------------------------------------------------------------

    def speak_natural(self) -> None:
        """Speak what fits as it is naturally said; ask for other lengths of what does not."""
        count, asked = len(self._lines), set[int]()
        for chunk in chunks(count, least=self._booth.lanes):
            near = horizon(count, chunk, ahead=self._ahead(chunk))
            self._read(near)
            while len(self._waiting) > 1:
                self._collect_portion()
            places, fits = self._planned([i for i in near if i in self._texts])
            long = [i for i in places if fits[i].choice >= len(self._texts[i]) and i not in self._clips]
            self._wordings.ask_further(
                {self._lines[i].id: self._lengths(i, self._slots[i]) for i in long if i not in asked}
            )
            asked |= set(long)
            self._later |= {i for i in long if i in chunk}
            self._submit({i: fits[i] for i in chunk if i in self._texts and i not in self._later})
            self._run.progress("speak", chunk.stop / count, f"{chunk.stop} of {count} lines")
        while len(self._waiting) > 1:
            self._collect_portion()

    def _ahead(self, chunk: range) -> int:
        """Lines to plan beyond a portion: one beyond the first, whose wordings everybody waits for."""
        if not self._booth.paid:
            return 32
        return _AHEAD if chunk.start else 1

    def speak_further(self) -> None:
        """Speak the lines that need another length, planned around those that are spoken already.

        The last portion is still under way, so that nobody has to wait for its slowest line.
        """
        for i in self._later:
            self._texts[i] = self._wordings.of(self._lines[i])
        if self._later or (self._wordings.asks_further and self._texts):
            _, fits = self._planned(sorted(self._texts.keys() - self._failed.keys()), imagine=False)
            self._ask_again(fits)
            self._submit({i: fits[i] for i in sorted(self._later - self.tight)})

    def collect_natural(self) -> None:
        """Wait for what fits as it is naturally said; the lines of other lengths may be under way."""
        while len(self._waiting) > 1:
            self._collect_portion()
        self.tight -= self._failed.keys()

    def _ask_again(self, fits: Mapping[int, Fit]) -> None:
        """Ask for one more length of each line that cannot be said well in any of those there are."""
        if not self._wordings.asks_further:
            return
        wanted = {i: self._wanted(i, fit) for i, fit in fits.items() if is_tight(self._slots[i], fit)}
        self.tight = frozenset(i for i, lengths in wanted.items() if lengths)
        self._wordings.ask_again({self._lines[i].id: wanted[i] for i in sorted(self.tight)})

    def _wanted(self, i: int, fit: Fit) -> tuple[int, ...]:
        """Syllables of a wording that would fit; none where one of about that length is there already."""
        language = self._models[self._lines[i].speaker].language
        known = [round(syllables(wording.text, language)) for wording in self._texts[i]]
        count = round(known[fit.choice] * fitting_share(self._slots[i], fit))
        is_new = all(abs(count - other) > 1 for other in known)
        return (count,) if is_new and count >= max(_FEWEST, known[0] / 2) else ()

    def speak_tight(self) -> frozenset[int]:
        """Speak what waited for one more length; the answer are the lines spoken for the second time."""
        if not self.tight:
            return frozenset()
        spoken_before: dict[int, int] = {}
        for i in sorted(self.tight):
            old, self._texts[i] = self._texts[i], self._wordings.of(self._lines[i])
            if i in self._clips:
                choice = self._texts[i].index(old[self._slots[i].locked_choice or 0])
                self._slots[i] = spoken(self._predict(i, imagine=False), self._clips[i], choice=choice)
                spoken_before[i] = choice
        free = {i: replace(self._slots[i], locked_choice=None) for i in spoken_before}
        self._slots |= free
        _, fits = self._planned(sorted(self._texts.keys() - self._failed.keys()), imagine=False)
        self._slots |= {i: replace(free[i], locked_choice=choice) for i, choice in spoken_before.items()}
        self._submit({i: fits[i] for i in sorted(self.tight - spoken_before.keys())})
        other = {i: fits[i] for i, choice in spoken_before.items() if fits[i].choice != choice}
        for i, fit in other.items():
            native = native_rate(free[i], fit, slowest=self._booth.slowest, fastest=self._booth.fastest)
            self._repeated[i] = (fit.choice, self._booth.submit(self._ask(i, fit.choice, native)))
        return frozenset(other)

    def say_again(self, lines: Iterable[int]) -> frozenset[int]:
        """Speak lines once more that came out too far from their room. What fails again stays as it was."""
        asked = frozenset(lines) & self._clips.keys()
        if not asked:
            return asked
        order = sorted(self._slots)
        slots, programme = [self._slots[i] for i in order], self._programme.seconds
        bounds = {"slowest": self._booth.slowest, "fastest": self._booth.fastest}
        wanted = retakes(slots, refit(slots, programme=programme), **bounds)
        wanted = rerated(slots, wanted, programme=programme, **bounds)
        takes = {order[at]: take for at, take in wanted.items() if order[at] in asked}
        for i, take in takes.items():
            self._repeated[i] = (take.choice, self._booth.submit(self._ask(i, take.choice, take.native)))
        return asked

    def collect(self) -> None:
        """Wait for everything under way."""
        while self._waiting:
            self._collect_portion()
        repeated, self._repeated = self._repeated, {}
        said = self._booth.collect([one for _, one in repeated.values()])
        for (i, (choice, _)), clip in zip(repeated.items(), said, strict=True):
            if isinstance(clip, EngineError):
                continue  # the first take is there and is kept: nothing is lost
            if choice != self._slots[i].locked_choice and self._predicted[i] is not None:
                self._predicted[i] = self._slots[i].choices[choice].seconds * self._slots[i].native
            self._slots[i], self._clips[i] = spoken(self._slots[i], clip, choice=choice), clip

    def _read(self, near: Iterable[int]) -> None:
        """Wait for the natural wordings of lines; a line without one is left out from here on."""
        for i in near:
            if i not in self._texts:
                found = self._wordings.of(self._lines[i])
                if found:
                    self._texts[i] = found

    def _planned(self, lines: Sequence[int], *, imagine: bool = True) -> tuple[list[int], dict[int, Fit]]:
        """Plan lines together: spoken ones as they are, the others as far as their voices are known."""
        under_way = {i for portion in self._waiting for i in portion}
        places = [i for i in lines if i not in self._failed]
        for i in places:
            if i not in self._clips and i not in under_way:
                self._slots[i] = self._predict(i, imagine=imagine and self._wordings.asks_further)
        fits = plan([self._slots[i] for i in places], programme=self._programme.seconds)
        return places, dict(zip(places, fits, strict=True))

    def _predict(self, i: int, *, imagine: bool) -> Slot:
        line = self._lines[i]
        found = slot(
            line,
            self._texts[i],
            self._models[line.speaker],
            timeline=self._side[i],
            quantile=PAID_QUANTILE if self._booth.paid else None,
        )
        if not imagine or len(self._texts[i]) > 1 or not self._lengths(i, found):
            return found
        wanted = self._shares(found)
        return imagined(found, wanted, losses=[loss(share) for share in wanted])

    def _shares(self, found: Slot) -> tuple[float, ...]:
        """Lengths worth asking for, relative to the natural wording's."""
        return shares(found.choices[0].seconds / max(0.1, found.end - found.start))

    def _lengths(self, i: int, found: Slot) -> tuple[int, ...]:
        """The same in syllables; none where there is nothing to take away."""
        language = self._models[self._lines[i].speaker].language
        return syllables_for(self._texts[i][0].text, self._shares(found), language=language)

    def _submit(self, fits: Mapping[int, Fit]) -> None:
        portion = {}
        for i, fit in fits.items():
            found = self._slots[i]
            native = native_rate(found, fit, slowest=self._booth.slowest, fastest=self._booth.fastest)
            portion[i] = (fit.choice, self._booth.submit(self._ask(i, fit.choice, native)))
            # Until it is measured, others are planned around what is expected of it.
            self._slots[i] = replace(
                found, choices=found.choices[: len(self._texts[i])], locked_choice=fit.choice
            )
        self._waiting.append(portion)

    def _ask(self, i: int, choice: int, rate: float) -> Ask:
        before, after = self._wordings.around(i) if self._booth.joins else ("", "")
        return Ask(self._texts[i][choice].text, self._voices[self._lines[i].speaker], rate, before, after)

    def _collect_portion(self) -> None:
        """Wait for the portion that was submitted first, and learn from it."""
        portion = self._waiting.popleft()
        said = self._booth.collect([one for _, one in portion.values()])
        for (i, (choice, _)), clip in zip(portion.items(), said, strict=True):
            if isinstance(clip, EngineError):
                self._failed[i] = clip
                del self._slots[i]
                continue
            found = self._slots[i]
            self._predicted[i] = None if i in self._taught else found.choices[choice].seconds
            self._slots[i], self._clips[i] = spoken(found, clip, choice=choice), clip
            if i not in self._taught:
                speaker = self._lines[i].speaker
                text = self._texts[i][choice].text
                self._models[speaker] = learned(self._models[speaker], text, clip)

    # --- The result ------------------------------------------------------------------------------------

    def settled(self) -> Spoken:
        """Every spoken line in its place."""
        if not self._texts:
            self._wordings.require_any()
        elif not self._clips:
            raise next(iter(self._failed.values()))
        order = sorted(self._clips)
        settings = settle(
            [self._slots[i] for i in order],
            [self._clips[i] for i in order],
            [self._lines[i] for i in order],
            programme=self._programme.seconds,
        )
        takes = tuple(self._take(i, setting) for i, setting in zip(order, settings, strict=True))
        lost = {self._lines[i].id: problem.message for i, problem in sorted(self._failed.items())}
        return Spoken(takes, lost, dict(self._voices))

    def _take(self, i: int, setting: Setting) -> Take:
        line, model = self._lines[i], self._models[self._lines[i].speaker]
        part = Part(line, self._texts[i], self._voices[line.speaker])
        return Take(
            part=part,
            wording=part.wordings[setting.fit.choice],
            clip=self._clips[i],
            predicted=self._predicted[i],
            source_predicted=model.predict(features(line.text, model.language))[0],
            slot=self._slots[i],
            setting=setting,
            placement=place(
                line.id, self._clips[i], setting, rate=self._programme.rate, frames=self._programme.frames
            ),
            flags=flags(self._slots[i], setting),
        )
