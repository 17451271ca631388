"""What is known of functions, methods and modules that programs use. What is not in here may do anything. Pure."""

from __future__ import annotations

import builtins
import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPAQUE = _words("exec eval compile globals locals vars setattr delattr __import__ import_module get_ipython breakpoint")
"""With these, names say nothing."""
KIND = frozenset(dir(builtins)) - OPAQUE - _words("open next input exit quit") | {"display"}
"""Functions that leave their arguments alone."""
SHOWING = _words("print display pprint pp")
PLAIN = _words("len int float str bool round sum abs ord chr repr format hash")
"""Functions that make numbers and texts."""
KIND_MODULES = _words(
    "requests httpx json math cmath datetime time re statistics urllib calendar zoneinfo decimal fractions html csv "
    "string textwrap unicodedata base64 hashlib collections itertools functools operator pprint pytz dateutil"
)
"""Modules whose functions leave their arguments alone, and whose objects have nothing in common."""
APART = KIND_MODULES | _words("pandas numpy bs4 lxml pathlib io")
"""Modules whose objects have nothing in common."""
KIND_METHODS = _words(
    "json get keys values items copy strip lstrip rstrip lower upper title split rsplit splitlines join format replace "
    "startswith endswith find index count encode decode isdigit read head tail describe mean sum min max median std "
    "nunique unique value_counts tolist to_list to_dict to_string isoformat strftime date time timestamp weekday "
    "raise_for_status casefold capitalize zfill round abs group groups isin notna isna groupby agg nlargest nsmallest "
    "sort_values reset_index set_index astype union intersection difference issubset most_common total_seconds"
)
"""Methods that leave their object alone, whatever it is, unless they are told to work in place."""
WRITING = _words(
    "write write_text write_bytes writelines to_csv to_excel to_parquet to_pickle to_sql to_feather to_hdf savefig "
    "save savetxt dump mkdir makedirs rename unlink rmdir touch symlink_to chdir urlretrieve extractall extract "
    "copyfile putenv system popen Popen run check_output check_call execute executemany commit register install "
    "setlocale load_dotenv"
)
OUTSIDE = _words("os sys shutil subprocess sqlite3 tempfile pickle socket ctypes signal threading")
"""Modules that are there to reach out of the program."""
LOOKING = re.compile(
    r"(?:os\.(?:environ\.get|getenv|getcwd|listdir|scandir|walk|stat|cpu_count|path\.\w+)|sys\.(?:exit|getsizeof)"
    r"|tempfile\.gettempdir|pickle\.loads)\Z"
)
"""What of them only looks."""
