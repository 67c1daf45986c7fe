"""What an incoming text says about being texted: stop, perhaps stop, start, or nothing."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Reading = Literal["stop", "review", "start", "received"]

#: The stop words of every language, as the seed `stop_words` has them with their sources: Twilio acts on the English
#: ones alone, https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out.
STOP = frozenset(
    {
        *("stop", "stopall", "unsubscribe", "end", "quit", "cancel", "revoke", "optout", "remove", "td"),
        *("arret", "arrete", "arrett", "desabonner", "desinscrire", "stopsms"),
        *("alto", "baja", "cancelar", "detener", "parar", "sair", "descadastrar"),
        *("abbestellen", "abmelden", "austragen", "stopp", "afmelden", "uitschrijven"),
        *("annulla", "basta", "cancella", "disiscrivi", "rezygnuje", "wypisz"),
        *("afmeld", "avsluta", "stoppa", "lopeta", "peru"),
    }
)
START = frozenset({"start", "unstop", "yes"})

_APOSTROPHES = "'`\u2018\u2019"
# Twilio acts on a bare keyword only, but any clear wording withdraws. Words cannot tell "stop texting me" from "don't
# stop the deals", so each of these holds the number back until a person has read the message.
_PERHAPS_STOP = re.compile(
    r"\b(stop(ped|ping|all)?|unsubscribe|unsub|opt(ing|ed)? ?out|remove me|take me off|leave me alone|wrong number"
    r"|(do not|dont|never|no more|quit|cease) (\w+ )?(text|messag|sms|contact|send)\w*"
    r"|arret\w*|desabonn\w*)\b"
)


def reading(body: str, opt_out_type: str = "") -> Reading:
    """Read a message's text; Twilio's own verdict, where the sender has Advanced Opt-Out, comes first."""
    verdict = opt_out_type.strip().upper()
    if verdict == "STOP":
        return "stop"
    plain = unicodedata.normalize("NFKD", body).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char) and char not in _APOSTROPHES)
    words = re.findall(r"[^\W_]+", plain)
    whole = "".join(words)
    if whole in STOP:
        return "stop"
    if verdict == "START" or whole in START:
        return "start"
    return "review" if _PERHAPS_STOP.search(" ".join(words)) else "received"
