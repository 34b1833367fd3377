"""Personal data: addresses and numbers that lead to one person. Names alone are not looked for."""

import re
from collections.abc import Iterator

from engine.lib.quality.material import Material
from engine.lib.quality.registry import Finding, Found, Rule, check, share

EMAIL = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})@((?:[\w-]{1,63}\.)+[a-z]{2,24})\b", re.IGNORECASE)
# made for examples (RFC 2606, RFC 6761), or nobody's own
EXAMPLE = re.compile(r"(?:^|\.)(?:example(?:\.\w+)?|test|invalid|localhost|domain\.(?:com|tld)|acme\.(?:com|org))$", re.IGNORECASE)
MAILBOX = re.compile(
    r"^(?:info|office|contact|kontakt|support|help|helpdesk|sales|service|admin|webmaster|postmaster|hostmaster|abuse|security|press|jobs"
    r"|careers|hr|billing|privacy|legal|team|hello|mail|no-?reply|do-?not-?reply|newsletter|root|user(?:name)?|name|me|you|foo|bar|git)$",
    re.IGNORECASE,
)
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
CARD = re.compile(r"(?<![\w.])[3-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,7}(?![\w.]\d|\w)")
US_SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
BIRTH = re.compile(
    r"\b(?:born on|date of birth|birth ?date|d\.?o\.?b\.?|geboren am|geburtsdatum"
    r"|née? le|date de naissance|fecha de nacimiento|nacid[oa] el"
    r"|nat[oa] il|data di nascita)\b[\s:]{1,3}(?:the )?(?=.{0,12}\d)[\w ,./-]{0,16}\b(?:1[89]|20)\d\d\b",
    re.IGNORECASE,
)
NUMBER_LIKE = re.compile(r"(?:\+|\(|\b\d)[\d\s().\-/]{6,}\d")
PHONE_NEAR = re.compile(
    r"\b(?:phone|tel|telephone|call|mobile|cell|fax|whatsapp|telefon|handy|mobil|ruf\w*|téléphone|portable|teléfono|móvil|telefono|cellulare)\b",
    re.IGNORECASE,
)
BEFORE = 40  # characters before a number in which a word for telephones counts
SEPARATORS = re.compile(r"[\s()./-]+")
ANYWHERE = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "CH", "AT")
REGIONS = {
    "de": ("DE", "AT", "CH"),
    "fr": ("FR", "BE", "CH"),
    "es": ("ES", "MX"),
    "it": ("IT", "CH"),
    "pt": ("PT", "BR"),
    "nl": ("NL", "BE"),
    "en": ("US", "GB"),
}


@check("personal")
def personal(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that hold personal data, in what is trained on or in a rejected answer."""
    findings = []
    for number, row in enumerate(material.rows):
        material.tell(number, len(material.rows))
        kinds = dict.fromkeys(kinds_in("\n".join(message["content"] for message in row.messages), row.language))
        worse = dict.fromkeys(kind for kind in kinds_in(row.worse_text, row.language) if kind not in kinds)
        said = [" and ".join(kinds), f"{' and '.join(worse)} in the rejected answer" if worse else ""]
        if kinds or worse:
            findings.append(Finding(row, f"Holds {', and '.join(filter(None, said))}"))  # never the data itself: the report would spread it
    return Found(share(len(findings), len(material.rows)), findings)


def kinds_in(text: str, language: str = "") -> Iterator[str]:
    """What kinds of personal data ``text`` holds, in words."""
    if "@" in text and any(not EXAMPLE.search(domain) and not MAILBOX.match(name) for name, domain in EMAIL.findall(text)):
        yield "an e-mail address"
    if BIRTH.search(text):
        yield "a date of birth"
    if not re.search(r"\d[\d\s().\-/]{5,}\d", text) and not IBAN.search(text):
        return
    if any(_is_iban(found[0]) for found in IBAN.finditer(text)):
        yield "a bank account number"
    if any(_is_card(found[0]) for found in CARD.finditer(text)):
        yield "a card number"
    if US_SOCIAL_SECURITY.search(text):
        yield "a social security number"
    if _has_phone(text, language):
        yield "a telephone number"


def _is_iban(text: str) -> bool:
    """By its check digits (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    """By Luhn's check digit; of issuers that exist, and not one digit over and over."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    doubled = [digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _has_phone(text: str, language: str) -> bool:
    """A number that some country's plan allows, written as telephone numbers are, or named as one."""
    if not NUMBER_LIKE.search(text):
        return False
    import phonenumbers

    own = REGIONS.get(language[:2], ())
    for region in [*own, *(one for one in ANYWHERE if one not in own)]:
        for found in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
            raw = found.raw_string
            if raw.startswith("+") or PHONE_NEAR.search(text[max(0, found.start - BEFORE) : found.start]):
                return True
            # without a word that says so, only as the countries write it that speak the pair's language
            if (region in own or not language) and len(SEPARATORS.findall(raw.strip("()"))) >= 2 and not _is_in_number(text, found):
                return True
    return False


def _is_in_number(text: str, found: "object") -> bool:
    """A stretch of a longer row of numbers, such as a list or a table, is no telephone number."""
    start, end = found.start, found.end  # type: ignore[attr-defined]
    return bool(re.search(r"\d[\s,.;:/-]{1,2}$", text[max(0, start - 4) : start]) or re.match(r"[\s,.;:/-]{1,2}\d", text[end : end + 4]))
