"""What the lens says: `/api/cliffs`, read and judged no further than needed here, and what it takes."""

import http.client
import json
from dataclasses import asdict, dataclass

from deepwater_bench.process import Failure

PATH = "/api/cliffs"
STATUS = "/api/status"
PATIENCE_S = 10


@dataclass(frozen=True)
class Forecast:
    """A cliff's load, in requests per second, with its range."""

    load: float
    low: float
    high: float
    confidence: float | None = None


@dataclass(frozen=True)
class Reading:
    """One answer: the nearest cliff and, of the cliff that is expected, state, text and forecast."""

    load: float | None
    nearest: str | None
    state: str
    text: str
    forecast: Forecast | None
    # All cliffs that have a forecast, by their ids: what else was in sight.
    others: dict

    def record(self):
        return asdict(self)


def parse(answer, expected):
    """The reading of a decoded answer, in the eyes of one who expects a cliff whose name begins with `expected`.

    Of several such cliffs the nearest one's counts: `nearest` itself where it is among them, else the one with the
    lowest load.
    """
    try:
        cliffs = {cliff["id"]: cliff for cliff in answer["cliffs"]}
        nearest = answer["nearest"]
        if nearest is not None and nearest not in cliffs:
            raise Failure(f"{PATH}: the nearest cliff, {nearest}, is not among the cliffs")
        load = answer["load"]["value"] if answer["load"] else None
        forecasts = {name: _forecast(cliff["at"]) for name, cliff in cliffs.items() if cliff["at"]}
        found = _found(cliffs, nearest, forecasts, expected)
        return Reading(
            load=load,
            nearest=nearest,
            state=cliffs[found]["state"] if found else "absent",
            text=cliffs[found]["text"] if found else "",
            forecast=forecasts.get(found),
            others={name: forecast.load for name, forecast in forecasts.items() if name != found},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"{PATH} is not as expected: {error!r} in {json.dumps(answer)[:500]}") from None


def _found(cliffs, nearest, forecasts, expected):
    among = [name for name in cliffs if name.startswith(expected)]
    if nearest in among:
        return nearest
    return min(among, key=lambda name: forecasts[name].load if name in forecasts else float("inf"), default=None)


def _forecast(at):
    confidence = at.get("confidence")
    return Forecast(float(at["load"]), float(at["low"]), float(at["high"]), confidence)


def read(port, expected):
    """The reading at this moment, from the console on `port`."""
    return parse(_get(port, PATH), expected)


def cost(port):
    """What the lens takes: (cores on average of the last minute, bytes of what it has measured)."""
    answer = _get(port, STATUS)
    try:
        return float(answer["lens"]["cpu"]), int(answer["lens"]["bytes"])
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"{STATUS} does not tell what the lens takes: {error!r}") from None


def _get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        raise Failure(f"{path}: {error}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Failure(f"{path} answers with status {answer.status}: is the lens in this binary?")
    try:
        return json.loads(body)
    except ValueError:
        raise Failure(f"{path} answers with what is no JSON: {body[:200]!r}") from None
