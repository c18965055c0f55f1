"""Files that nobody made: what macOS, Windows and Spark put beside people's own, in folders and in zips."""

import re

LEFT_BEHIND = re.compile(
    r"(^|/)(__MACOSX(/|$)|\._[^/]*$|\.DS_Store$|(?i:thumbs\.db|desktop\.ini)$"
    r"|_SUCCESS$|_(common_)?metadata$|_(started|committed)_\d+$)"
)
