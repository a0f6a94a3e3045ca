"""XMP packets: what another program said about a picture, and how the picture came to be.

Among the texts of a picture (see `text_chunks`) the packet has the name `XMP`. It is kept as it is,
apart from the one property that says whether a picture was made by AI: ``DigitalSourceType`` of
IPTC's extension, a term of https://cv.iptc.org/newscodes/digitalsourcetype.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum

from lxml import etree

from ..files import parsed

XMP = "XML:com.adobe.xmp"
"""The name of the packet among a picture's texts; in a PNG, that of its chunk."""
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OURS = "https://digressions.dev/ns/"
_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_HOME = f"{{{_RDF}}}RDF"  # descriptions stand in it
_ABOUT = f"{{{_RDF}}}about"
_MADE = f"{{{_IPTC}}}DigitalSourceType"
_TEXTS = f"{{{_OURS}}}texts"  # the texts of a file that keeps them here, as JSON
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_EMPTY = (
    f'{_BEGIN}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
    '<?xpacket end="w"?>'
)


class SourceType(StrEnum):
    """What made a picture, as a term of IPTC."""

    TRAINED = f"{_TERMS}trainedAlgorithmicMedia"
    COMPOSITE = f"{_TERMS}compositeWithTrainedAlgorithmicMedia"


def source_type(text: Mapping[str, str]) -> str:
    """The ``DigitalSourceType`` that a picture's texts name; empty where they name none."""
    for description in _descriptions(_opened(text.get(XMP))):
        if value := description.get(_MADE) or description.findtext(_MADE):
            return str(value)
    return ""


def marked(text: Mapping[str, str], kind: SourceType) -> dict[str, str]:
    """Texts whose packet names what made the picture; the rest of the packet stays as it is.

    A packet that cannot be read gives way to another.
    """
    packet = _opened(text.get(XMP))
    for description in _descriptions(packet):
        description.attrib.pop(_MADE, None)
        for element in description.findall(_MADE):
            description.remove(element)
        if not len(description) and set(description.attrib) <= {_ABOUT}:
            description.getparent().remove(description)
    return {**text, XMP: _with_property(packet, "Iptc4xmpExt", _MADE, kind)}


def bare_mark(text: Mapping[str, str]) -> dict[str, str]:
    """Of a picture's texts only that it was made by AI; nothing where they do not say so."""
    found = source_type(text)
    return marked({}, SourceType(found)) if found in set(SourceType) else {}


def xmp_packet(text: Mapping[str, str]) -> bytes:
    """All the texts of a picture as one packet, for files that have no other place for them."""
    others = json.dumps({name: value for name, value in text.items() if name != XMP})
    return _with_property(_opened(text.get(XMP)), "d", _TEXTS, others).encode()


def texts_of_xmp(content: object) -> dict[str, str]:
    """The texts in a packet: those that `xmp_packet` put there, and the rest of the packet.

    Args:
        content: The packet as a file has it; anything that is no packet has no texts.
    """
    packet = _opened(content)
    found: dict[str, str] = {}
    for description in _descriptions(packet):
        if (words := description.get(_TEXTS)) is None:
            continue
        description.getparent().remove(description)
        try:
            found |= {str(name): str(value) for name, value in dict(parsed(words)).items()}
        except (TypeError, ValueError):
            continue  # damaged
    return found | ({XMP: _written(packet)} if _descriptions(packet) else {})


def _opened(content: object) -> etree._ElementTree | None:
    """A packet as a tree, or ``None`` where it is none."""
    # No entities but XML's own, no files, and nothing of other sites.
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    try:
        words = content.decode() if isinstance(content, bytes) else content
        if not isinstance(words, str) or "<!DOCTYPE" in words:
            return None
        root = etree.fromstring(words.strip("\x00 \n\r\t\ufeff").encode(), parser)
    except Exception:  # libxml2 has its own, and Python's on the way to it
        return None
    return root.getroottree() if next(root.iter(_HOME), None) is not None else None


def _descriptions(packet: etree._ElementTree | None) -> list[etree._Element]:
    return [] if packet is None else _home(packet).findall(f"{{{_RDF}}}Description")


def _home(packet: etree._ElementTree) -> etree._Element:
    """The element that descriptions stand in."""
    return next(packet.iter(_HOME))


def _with_property(packet: etree._ElementTree | None, prefix: str, name: str, value: str) -> str:
    """A packet, or a new one, with one more description, about what the others are about."""
    packet = etree.fromstring(_EMPTY.encode()).getroottree() if packet is None else packet
    others = _descriptions(packet)
    about = others[0].get(_ABOUT, "") if others else ""
    space = name[1:].split("}")[0]
    added = etree.SubElement(_home(packet), f"{{{_RDF}}}Description", nsmap={prefix: space})
    added.set(_ABOUT, about)
    added.set(name, value)
    return _written(packet)


def _written(packet: etree._ElementTree) -> str:
    return str(etree.tostring(packet, encoding="unicode"))
