"""Bounded reading of YAML (and so JSON) text that a user wrote.

Size, nesting and aliases are limited before a value is built: a short text can describe a huge value, and a deep one
can exhaust the parser's stack.

PyYAML says what a text means. A faster parser reads the texts for which both agree: it speaks YAML 1.2, so whatever
YAML 1.1 reads otherwise (`yes`, octal and sexagesimal numbers, merge keys, tags) goes to PyYAML, as does everything
that the faster one refuses. A test holds the two against each other.
"""

import re
from typing import Final

import yaml_rs

MAX_BYTES: Final = 32 << 20
MAX_DEPTH: Final = 100
MAX_NODES: Final = 3_000_000

# What a text must have to be deep. Ordinary manifests have none of it, so they are parsed once.
_DEEP: Final = re.compile(r"^[ \t]{100}|(?:[-?:][ \t]+){20}", re.MULTILINE)
_INDENT: Final = " " * MAX_DEPTH
_FEW_ALIASES: Final = yaml_rs.AliasLimits(max_total_replayed_events=100_000, max_replay_stack_depth=16)
# Lines of which nothing below can be true, told in a tenth of the time: a key, a word, a small number, a quoted word.
# Nothing below looks past the end of a line, so lines of this form can be left out before it is searched.
_ORDINARY: Final = re.compile(
    r"""(?xm)
    (?: ^ [ ]*+ (?: - [ ] )*+
        (?! (?: [Yy][Ee][Ss] | [Nn][Oo] | [Oo][Nn] | [Oo][Ff][Ff] ) (?: [:\n] | \Z ) )
        (?: [A-Za-z] [\w./-]*+ : (?: [ ] | (?=\n|\Z) ) )?+
        (?! (?: [Yy][Ee][Ss] | [Nn][Oo] | [Oo][Nn] | [Oo][Ff][Ff] ) (?: [:\n] | \Z ) )
        (?: [A-Za-z/] [\w./:-]*+ | [1-9][0-9]{0,9}+ | [&*] \w++ | " [\w./:-]*+ " | ' [\w./:-]*+ ' )?+
        (?: \n | \Z )
    )++
    """,
    re.ASCII,
)
# Where the two parsers could differ: a plain scalar that YAML 1.1 resolves in a way of its own, tags, merge keys,
# complex keys, directives, tabs, and characters that PyYAML refuses or takes for line breaks.
_YAML_1_1: Final = re.compile(
    r"""(?x)
    (?: ^ [ ]* | [:?-][ ]+ | [\[{,][ ]* )
    (?: (?: yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|= ) (?= [ ]* (?: $ | [,\]}\#] | :(?:[ ]|$) ) )
      | [-+]? 0 [0-9_obxOBX]
      | [-+]? [0-9.]+ (?: _ | [eE] | : [0-9] )
      | [-+]? _* [0-9_.:]* _
      | [-+]? \.
      | [0-9]{4}-[0-9]
      | [-+]? [0-9]{16}
      | [-+] [0-9.]
      | [!<%?:]
    )
    | [\]}] [ ]* :
    | : [ ]* [,\]}]
    | [\[{] [^\]}\n]* $   # flow style over several lines, in which it takes more for a key
    | [^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]
    | ^ (?: \.\.\. | --- )
    """,
    re.MULTILINE,
)
_ANCHOR: Final = re.compile(r"(?:^|[\s\[{,:\-?])&[^\s&]", re.MULTILINE)
_BLOCK_ANCHOR: Final = re.compile(r"^ *(?:- +)*(?P<key>[A-Za-z][\w./-]*): &(?P<name>\w+)$", re.MULTILINE)


class UnreadableText(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """The text cannot be read; the message is a clause such as `is no valid YAML: line 3, column 7`, without the text.

    Attributes:
        line: Line of the fault, from 1; 0 where it has none.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def load(text: str, *, max_bytes: int = MAX_BYTES) -> object:
    """The one document that the text holds; None for an empty one.

    Raises:
        UnreadableText: It is too large, too deep, or not YAML.
    """
    if len(text) > max_bytes:
        raise UnreadableText(f"is larger than {max_bytes // 1024} KiB")
    deep = _may_be_deep(text)
    # A block scalar at the very end of a text gets a line break from the faster parser even where it has none.
    cut = not text.endswith("\n") and ("|" in text or ">" in text)
    if not deep and not cut and not _YAML_1_1.search(_ORDINARY.sub("", text)) and _anchors_are_closed(text):
        try:
            # Else it takes quoted days for dates.
            return yaml_rs.loads(text, parse_datetime=False, alias_limits=_FEW_ALIASES)
        except yaml_rs.YAMLDecodeError:
            # PyYAML has the last word, and the position.
            pass
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError):
            raise UnreadableText("is no valid YAML") from None
    # PyYAML takes longer to import than ordinary manifests to read.
    from auditpipeline.world import yaml_reference  # noqa: PLC0415

    return yaml_reference.load(text, measured=deep or ("*" in text and _ANCHOR.search(text) is not None))


def _may_be_deep(text: str) -> bool:
    """Cheap first: ordinary manifests hold none of these."""
    if text.count("[") + text.count("{") > MAX_DEPTH or _INDENT in text:
        return True
    return ("- -" in text or "-  " in text or "? " in text or "\t" in text) and _DEEP.search(text) is not None


def _anchors_are_closed(text: str) -> bool:
    """No alias stands inside what it names, which the faster parser would read as null.

    Said only of the form that dumpers write: a key, an anchor, and below them a block that ends before the first alias.
    """
    if "&" not in text:
        return True
    names: set[str] = set()
    at = text.find("&")
    while at >= 0:
        anchor = _BLOCK_ANCHOR.match(text, text.rfind("\n", 0, at) + 1)
        here, at = at, text.find("&", at + 1)
        if anchor is None:
            if _ANCHOR.match(text, max(here - 1, 0)):
                return False
            continue
        if anchor["name"] in names:
            return False
        names.add(anchor["name"])
        alias = text.find(f"*{anchor['name']}", anchor.end())
        if alias < 0:
            continue
        column = anchor.start("key") - anchor.start()
        # Items of a list may stand below their key without being indented.
        item = rf"| {{0,{column - 1}}}-" if column else ""
        end = re.compile(rf"^(?: {{0,{column}}}[^ \-#\n]{item})", re.MULTILINE).search(text, anchor.end())
        if end is None or alias < end.start():
            return False
    return True
