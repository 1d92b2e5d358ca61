"""What the obfuscation generators write with: look-alike letters, fancy alphabets, invisible signs, emoji for words.

Chosen by what is met in chats and offered by "fancy text" sites, not by what the detectors know. Look-alikes after
Unicode TR39's confusables.
"""

# ruff: noqa: RUF001 - look-alike letters are what this file is about.

from __future__ import annotations

import re
import string

#: Letters and the digits or signs that stand for them.
LEET: dict[str, str] = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1"}

#: Latin letters and the letters of another script that look the same.
LOOKALIKES: dict[str, dict[str, str]] = {
    "cyrillic": dict(zip("aceopxyijshdqwABCEHIJKMOPSTX", "асеорхуіјѕһԁԛԝАВСЕНІЈКМОРЅТХ", strict=True)),
    "greek": dict(zip("oavuikABEHIKMNOPTXYZ", "οανυικΑΒΕΗΙΚΜΝΟΡΤΧΥΖ", strict=True)),
}

#: Zero width space, non-joiner, joiner, word joiner, byte order mark, soft hyphen.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"

#: Marks that stack on a letter: grave, acute, circumflex, tilde, macron, dot, diaeresis, dot below, stroke.
MARKS = "\u0300\u0301\u0302\u0303\u0304\u0307\u0308\u0323\u0336"

FULLWIDTH: dict[str, str] = {c: chr(ord(c) + 0xFEE0) for c in string.ascii_letters + string.digits + "?!"}


def _mathematical(upper: int) -> dict[str, str]:
    """An alphabet of the block Mathematical Alphanumeric Symbols: capitals from ``upper``, small letters after them."""
    return {c: chr(upper + index) for index, c in enumerate(string.ascii_uppercase + string.ascii_lowercase)}


#: Only alphabets of that block without holes.
MATHEMATICAL: dict[str, dict[str, str]] = {
    "bold": _mathematical(0x1D400),
    "bold_italic": _mathematical(0x1D468),
    "bold_script": _mathematical(0x1D4D0),
    "sans": _mathematical(0x1D5A0),
    "sans_bold": _mathematical(0x1D5D4),
    "monospace": _mathematical(0x1D670),
}

#: Emoji scattered to break words up.
EMOJI = ("🙂", "😊", "💕", "✨", "🔥", "😍", "👍", "🌸")

_PICTURES: dict[str, tuple[str, ...]] = {
    "🤐": ("dont tell", "don't tell", "no se lo digas", "não conta", "ne dis rien", "sag nichts"),
    "📱": ("phone", "cell", "mobile", "teléfono", "telefono", "móvil", "movil", "celular", "telefone", "téléphone",
           "telephone", "portable", "handy"),
    "🎁": ("gift", "gifts", "present", "presents", "regalo", "regalos", "presente", "presentes", "cadeau", "cadeaux",
           "geschenk", "geschenke"),
    "🤫": ("secret", "secreto", "segredo", "geheimnis", "quiet"),
    "👻": ("snap", "snapchat"),
    "📸": ("pic", "pics", "photo", "photos", "picture", "pictures", "selfie", "foto", "fotos"),
    "📷": ("camera", "cam", "cámara", "camara", "câmera", "caméra", "kamera"),
    "🎥": ("video", "videos", "vídeo", "vídeos", "vidéo", "vidéos"),
    "🏠": ("home", "house", "casa", "maison", "zuhause"),
    "🏫": ("school", "escuela", "escola", "école", "schule"),
    "📞": ("call", "ring"),
    "💬": ("message", "dm", "mensaje", "mensagem", "nachricht"),
    "💰": ("money", "cash", "dinero", "dinheiro", "argent", "geld"),
    "👨‍👩‍👧": ("parents", "padres", "pais", "eltern"),
    "👩": ("mom", "mum", "mommy", "mummy", "mamá", "mãe", "maman", "mama"),
    "👨": ("dad", "daddy", "papá", "pai"),
    "👯": ("friend", "friends", "amigos", "amigas", "amis", "freunde"),
    "💃": ("dance", "baila", "dança", "danse", "tanz"),
    "🚗": ("car", "coche", "carro", "voiture", "auto"),
    "🚪": ("door", "puerta", "porta", "porte", "tür"),
    "🛏️": ("bed", "cama", "bett"),
    "❤️": ("love", "amor", "amour", "liebe"),
    "👀": ("look", "see", "watch"),
    "🎂": ("birthday", "cumpleaños", "aniversário", "anniversaire", "geburtstag"),
    "🤥": ("lie", "liar"),
    "👑": ("king", "queen"),
}  # fmt: skip

#: Words (lower case) and the emoji that stands for them.
PICTURES: dict[str, str] = {word: sign for sign, words in _PICTURES.items() for word in words}

#: Finds those words; longest first, so that "snapchat" is not read as "snap" and a rest.
PICTURED = re.compile(
    r"\b(?:" + "|".join(re.escape(word) for word in sorted(PICTURES, key=len, reverse=True)) + r")\b", re.IGNORECASE
)
