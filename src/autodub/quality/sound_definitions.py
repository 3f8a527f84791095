"""What the sound and voice figures mean, and how good they should be."""

from __future__ import annotations

from autodub.quality.definition import AT_LEAST, AT_MOST, Definition

d = Definition  # a table reads best narrow

# fmt: off
ROWS = (
    d("D1.frames", "Length difference",
      "Length of the output against the source, in frames of the picture.", AT_MOST, 1, 1),
    d("D1.sound", "Length difference",
      "Length of the output against the source where there is no picture. Encoders such as MP3 and AAC pad "
      "their last frame: up to 50 ms are no failure.", AT_MOST, 50, 50),
    d("D1.samples", "Length difference of the sound",
      "Decoded samples of the output's sound against the source's.", AT_MOST, None, 0),
    d("B1", "Null test",
      "Difference between output and source where nothing was done, before encoding, "
      "against the source; -200 means bit for bit.", AT_MOST, -60, -90),
    d("B1d", "Null test after decoding",
      "The same on the decoded file: what the codec adds."),
    d("B2", "Original voice left",
      "Part of the removed voice's envelope found in the background, as power. A "
      "proxy.", AT_MOST, -15, -30),
    d("B3", "Background step",
      "Loudness of the background under speech against its neighbourhood (3 s), "
      "median size.", AT_MOST, None, 1.5),
    d("M1", "Line level error",
      "Mean size of the loudness difference between a dubbed line and its source.", AT_MOST, None, 1.5),
    d("M2", "Line levels follow the source",
      "Correlation of line loudness, dub against source.", AT_LEAST, None, 0.7),
    d("M3.share", "Clear speech",
      "3-s windows with dub in which speech is louder than the background by the "
      "target.", AT_LEAST, None, 0.95),
    d("M3.least", "Least clear window",
      "Smallest speech-to-background difference of these windows.", AT_LEAST, None, 4),
    d("M4.spectrum", "Long-term spectrum difference",
      "RMS over third octaves 100 Hz - 8 kHz, dub against source voice.", AT_MOST, None, 3),
    d("M4.reverberation", "Reverberation difference",
      "Difference of the reverberation times.", AT_MOST, None, 0.15),
    d("M5.loudness", "Programme loudness error",
      "Size of output minus target programme loudness (BS.1770-4).", AT_MOST, 0.5, 0.5),
    d("M5.peak", "True peak beyond the bound",
      "dB by which the output's true peak exceeds the source's, or -1 dBTP where that "
      "is higher, before encoding.", AT_MOST, 0, 0),
    d("M5.decoded_peak", "True peak of the decoded file",
      "dBTP after encoding; codecs overshoot."),
    d("M5.clipped", "Clipped samples",
      "Samples beyond full scale before encoding that the source does not have.", AT_MOST, 0, 0),
    d("M5.decoded_clipped", "Samples beyond full scale, decoded",
      "In the decoded file; codecs overshoot, above all where the source is at full scale.",
      AT_MOST, None, 0),
    d("M5.output", "Programme loudness, output",
      "Integrated loudness of the decoded file (ITU-R BS.1770-4)."),
    d("M5.source", "Programme loudness, source",
      "Integrated loudness of the source (ITU-R BS.1770-4)."),
    d("M6.dub", "Dub level with and without background",
      "Change of the dub's level when the background is switched off.", AT_MOST, 0.5, 0.5),
    d("M6.bed", "Background level outside speech",
      "Level of output against source where nothing was done, less the programme "
      "gain, in size.", AT_MOST, 0.5, 0.5),
    d("V1", "Pitch error",
      "Mean pitch of the dub voice against the speaker's, worst speaker.", AT_MOST, None, 1),
    d("V2", "Pitch range ratio",
      "Spread of pitch, the larger by the smaller, worst speaker.", AT_MOST, None, 1.25),
    d("V3", "Voice spectrum distance",
      "RMS distance of long-term spectra, worst speaker.", AT_MOST, None, 3),
)
# fmt: on
