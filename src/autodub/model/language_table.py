"""The languages Autodub knows: what recognisers and speakers of 2025 serve, as one table.

One row per language: primary subtag, ISO 639-2/T code (container tags are three letters), English
name, endonym, further codes and names. Codes follow ISO 639-1/2/3, endonyms Unicode CLDR.
"""

from __future__ import annotations

_ROWS = """
af|afr|Afrikaans|Afrikaans|
ak|aka|Akan|Akan|twi,tw
am|amh|Amharic|አማርኛ|
an|arg|Aragonese|aragonés|
ar|ara|Arabic|العربية|arb
as|asm|Assamese|অসমীয়া|
ast|ast|Asturian|asturianu|
az|aze|Azerbaijani|azərbaycan|azj,Azeri
ba|bak|Bashkir|башҡорт теле|
be|bel|Belarusian|беларуская|Belarusan
bg|bul|Bulgarian|български|
bn|ben|Bengali|বাংলা|Bangla
bo|bod|Tibetan|བོད་སྐད་|tib
br|bre|Breton|brezhoneg|
bs|bos|Bosnian|bosanski|
ca|cat|Catalan|català|Valencian
ceb|ceb|Cebuano|Cebuano|
ckb|ckb|Central Kurdish|کوردیی ناوەندی|Sorani
cs|ces|Czech|čeština|cze
cv|chv|Chuvash|чӑваш|
cy|cym|Welsh|Cymraeg|wel
da|dan|Danish|dansk|
de|deu|German|Deutsch|ger
el|ell|Greek|Ελληνικά|gre
en|eng|English|English|
eo|epo|Esperanto|esperanto|
es|spa|Spanish|español|Castilian,castellano
et|est|Estonian|eesti|ekk
eu|eus|Basque|euskara|baq
fa|fas|Persian|فارسی|per,pes,Farsi
fi|fin|Finnish|suomi|
fil|fil|Filipino|Filipino|
fo|fao|Faroese|føroyskt|
fr|fra|French|français|fre
fy|fry|Western Frisian|Frysk|Frisian
ga|gle|Irish|Gaeilge|Irish Gaelic
gd|gla|Scottish Gaelic|Gàidhlig|
gl|glg|Galician|galego|
gn|grn|Guarani|avañe’ẽ|
gu|guj|Gujarati|ગુજરાતી|
ha|hau|Hausa|Hausa|
haw|haw|Hawaiian|ʻŌlelo Hawaiʻi|
he|heb|Hebrew|עברית|iw
hi|hin|Hindi|हिन्दी|
hr|hrv|Croatian|hrvatski|scr
ht|hat|Haitian Creole|kreyòl ayisyen|Haitian
hu|hun|Hungarian|magyar|
hy|hye|Armenian|հայերեն|arm
ia|ina|Interlingua|interlingua|
id|ind|Indonesian|Indonesia|Bahasa Indonesia,in
ig|ibo|Igbo|Igbo|
io|ido|Ido|Ido|
is|isl|Icelandic|íslenska|ice
it|ita|Italian|italiano|
ja|jpn|Japanese|日本語|
jv|jav|Javanese|Jawa|jw,Basa Jawa
ka|kat|Georgian|ქართული|geo
kk|kaz|Kazakh|қазақ тілі|
kl|kal|Greenlandic|kalaallisut|Kalaallisut
km|khm|Khmer|ខ្មែរ|Cambodian
kn|kan|Kannada|ಕನ್ನಡ|
ko|kor|Korean|한국어|
kok|kok|Konkani|कोंकणी|
ku|kur|Kurdish|kurdî|kmr,Kurmanji
ky|kir|Kyrgyz|кыргызча|Kirghiz
la|lat|Latin|Latina|
lb|ltz|Luxembourgish|Lëtzebuergesch|
ln|lin|Lingala|lingála|
lo|lao|Lao|ລາວ|
lt|lit|Lithuanian|lietuvių|
lv|lav|Latvian|latviešu|lvs
mg|mlg|Malagasy|Malagasy|plt
mi|mri|Maori|te reo Māori|mao
mk|mkd|Macedonian|македонски|mac
ml|mal|Malayalam|മലയാളം|
mn|mon|Mongolian|монгол|khk
mr|mar|Marathi|मराठी|
ms|msa|Malay|Melayu|may,zsm,Bahasa Melayu
mt|mlt|Maltese|Malti|
my|mya|Burmese|မြန်မာ|bur,Myanmar
nb|nob|Norwegian Bokmål|norsk bokmål|Bokmål
ne|nep|Nepali|नेपाली|npi
nl|nld|Dutch|Nederlands|dut,Flemish
nn|nno|Norwegian Nynorsk|norsk nynorsk|Nynorsk
no|nor|Norwegian|norsk|
ny|nya|Chichewa|Nyanja|Nyanja
oc|oci|Occitan|occitan|
om|orm|Oromo|Oromoo|
or|ori|Odia|ଓଡ଼ିଆ|ory,Oriya
pa|pan|Punjabi|ਪੰਜਾਬੀ|Panjabi
pap|pap|Papiamento|Papiamentu|
pl|pol|Polish|polski|
ps|pus|Pashto|پښتو|Pushto
pt|por|Portuguese|português|
qu|que|Quechua|Runasimi|
ro|ron|Romanian|română|rum,mo,mol,Moldovan
ru|rus|Russian|русский|
rw|kin|Kinyarwanda|Ikinyarwanda|
sa|san|Sanskrit|संस्कृत|
sc|srd|Sardinian|sardu|
sd|snd|Sindhi|سنڌي|
si|sin|Sinhala|සිංහල|Sinhalese
sk|slk|Slovak|slovenčina|slo
sl|slv|Slovenian|slovenščina|Slovene
sm|smo|Samoan|Gagana Samoa|
sme|sme|Northern Sami|davvisámegiella|se
sn|sna|Shona|chiShona|
so|som|Somali|Soomaali|
sq|sqi|Albanian|shqip|alb
sr|srp|Serbian|српски|scc,srpski
st|sot|Southern Sotho|Sesotho|
su|sun|Sundanese|Basa Sunda|
sv|swe|Swedish|svenska|
sw|swa|Swahili|Kiswahili|swh
ta|tam|Tamil|தமிழ்|
te|tel|Telugu|తెలుగు|
tg|tgk|Tajik|тоҷикӣ|
th|tha|Thai|ไทย|
tk|tuk|Turkmen|türkmen dili|
tl|tgl|Tagalog|Tagalog|
tn|tsn|Tswana|Setswana|
tr|tur|Turkish|Türkçe|
tt|tat|Tatar|татар|
ug|uig|Uyghur|ئۇيغۇرچە|Uighur
uk|ukr|Ukrainian|українська|
ur|urd|Urdu|اردو|
uz|uzb|Uzbek|o‘zbek|uzn
vi|vie|Vietnamese|Tiếng Việt|
xh|xho|Xhosa|isiXhosa|
yi|yid|Yiddish|ייִדיש|ydd,ji
yo|yor|Yoruba|Èdè Yorùbá|
yue|zho|Cantonese|粵語|zh-yue
zh|zho|Chinese|中文|chi,cmn,Mandarin,Mandarin Chinese,普通话,汉语
zu|zul|Zulu|isiZulu|
"""

LANGUAGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {}
"""Primary subtag -> (ISO 639-2/T code, English name, endonym, further codes and names)."""
for _row in _ROWS.strip().splitlines():
    _primary, _iso, _name, _endonym, _more = _row.split("|")
    LANGUAGES[_primary] = (_iso, _name, _endonym, tuple(filter(None, _more.split(","))))

RIGHT_TO_LEFT = frozenset({"ar", "ckb", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
"""Languages usually written from right to left."""

RTL_SCRIPTS = frozenset({"Arab", "Hebr", "Thaa", "Nkoo", "Syrc"})
"""ISO 15924 codes of scripts written from right to left."""

REGIONS = {
    "001": "world", "029": "Caribbean", "150": "Europe", "419": "Latin America",
    "AE": "United Arab Emirates", "AR": "Argentina", "AT": "Austria", "AU": "Australia", "BE": "Belgium",
    "BR": "Brazil", "CA": "Canada", "CH": "Switzerland", "CL": "Chile", "CN": "China", "CO": "Colombia",
    "CU": "Cuba", "DE": "Germany", "EG": "Egypt", "ES": "Spain", "FR": "France", "GB": "United Kingdom",
    "HK": "Hong Kong", "IE": "Ireland", "IN": "India", "IT": "Italy", "JP": "Japan", "KE": "Kenya",
    "KR": "Korea", "MA": "Morocco", "MX": "Mexico", "NG": "Nigeria", "NL": "Netherlands",
    "NZ": "New Zealand", "PE": "Peru", "PK": "Pakistan", "PT": "Portugal", "RU": "Russia",
    "SA": "Saudi Arabia", "SG": "Singapore", "TW": "Taiwan", "UA": "Ukraine", "US": "United States",
    "VE": "Venezuela", "ZA": "South Africa",
}  # fmt: skip
"""Names of the regions people write; others show their code."""

SCRIPTS = {
    "Arab": "Arabic", "Cyrl": "Cyrillic", "Deva": "Devanagari", "Hans": "Simplified",
    "Hant": "Traditional", "Latn": "Latin",
}  # fmt: skip
"""Names of the scripts people write; others show their code."""

SAYINGS = {
    "latin american spanish": "es-419",
    "mexican spanish": "es-MX",
    "european spanish": "es-ES",
    "brazilian portuguese": "pt-BR",
    "european portuguese": "pt-PT",
    "american english": "en-US",
    "british english": "en-GB",
    "canadian french": "fr-CA",
    "simplified chinese": "zh-Hans",
    "traditional chinese": "zh-Hant",
    "chinese simplified": "zh-Hans",
    "chinese traditional": "zh-Hant",
    "swiss german": "de-CH",
    "brazilian": "pt-BR",
}
"""Everyday names of regional forms."""
