"""Where an export goes on: a text that stands on each line of its file."""

import base64
import binascii
import json
from dataclasses import dataclass

from penstock.state.care import RecordName
from penstock.wire.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """Represents how far an export has come.

    `stage` is the part of the export, `began_us` when it began; `last` the record that was reached (None: none of this
    part), and `inside` how far into it (None: to its end).
    """

    stage: int
    began_us: int
    last: RecordName | None = None
    inside: int | None = None

    def to_text(self) -> str:
        """Returns the cursor as a text without spaces or quotes."""
        last = [] if self.last is None else [self.last.tenant, self.last.name, self.last.place.hex()]
        fields = json.dumps([self.stage, self.began_us, self.inside, *last], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(fields.encode()).decode()

    @classmethod
    def from_text(cls, text: str) -> "ExportCursor":
        """Reads a cursor; raises InvalidArgument for what is none."""
        try:
            stage, began_us, inside, *last = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
            if not all(isinstance(number, int) and 0 <= number < 2**62 for number in (stage, began_us, inside or 0)):
                raise TypeError
            if not last:
                return cls(stage, began_us, None, inside)
            tenant, name, place = last
            return cls(stage, began_us, RecordName(str(tenant), str(name), bytes.fromhex(place)), inside)
        except (binascii.Error, ValueError, TypeError):
            pass
        raise InvalidArgument.of([("after_cursor", "is not the cursor of an exported record; begin anew without one")])
