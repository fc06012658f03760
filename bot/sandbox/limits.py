"""Every number of the platform in the words of PLATFORM.md; "docs" = the platform's own pages, where it is silent."""

from typing import Final

# "5 s deadline; then the connection is dropped and the same callback comes again"
CALLBACK_DEADLINE_SECONDS: Final = 5.0
# "3 deliveries in all (about 0/5/10 s) with identical signature, timestamp and nonce"
CALLBACK_DELIVERIES: Final = 3
CALLBACK_SPACING_SECONDS: Final = 5.0
# "cut at 2000 UTF-8 bytes on a character boundary (2048 bytes is the measured limit)"
PASSIVE_TEXT_BYTES: Final = 2048
# "45002 too long" (docs: the same 2048 bytes hold for customer-service and mass texts)
SENT_TEXT_BYTES: Final = 2048
# docs: a passive news reply to a message carries one article, to an event up to eight
NEWS_TO_MESSAGE: Final = 1
NEWS_TO_EVENT: Final = 8

# "user message: 48 h; menu click, follow, QR scan: 1 min"
MESSAGE_WINDOW_SECONDS: Final = 48 * 3600
ACTION_WINDOW_SECONDS: Final = 60
# "5 per 48 h window; 3 per 1-min window"
MESSAGE_WINDOW_SENDS: Final = 5
ACTION_WINDOW_SENDS: Final = 3

# "one send per consent"
SENDS_PER_CONSENT: Final = 1
# "100k a day; 25 templates"
TEMPLATE_SENDS_PER_DAY: Final = 100_000
TEMPLATES_PER_ACCOUNT: Final = 25
# "client_msg_id (same openid + id sends once, about 10 minutes)"
TEMPLATE_CLIENT_ID_SECONDS: Final = 600
# "thing ≤20 chars, phrase ≤5" (docs: the other kinds)
THING_CHARS: Final = 20
PHRASE_CHARS: Final = 5
# "4 per user per calendar month, console sends included"
MASS_PER_MONTH: Final = 4
# "`message/mass/send`, 2–10000 openids or a tag"
MASS_OPENIDS_MIN: Final = 2
MASS_OPENIDS_MAX: Final = 10_000
# "60 calls a minute"
MASS_CALLS_PER_MINUTE: Final = 60
# "45065 same clientmsgid within 24 h = already sent"
CLIENT_ID_SECONDS: Final = 24 * 3600
# "45067 clientmsgid too long (use ≤32 chars)"
CLIENT_ID_CHARS: Final = 32

# "`POST /cgi-bin/stable_token` (same token on repeat calls, 500k calls a day"
STABLE_TOKEN_CALLS_PER_DAY: Final = 500_000
# "`force_refresh` only on a leak: 20 a day)"
FORCED_REFRESHES_PER_DAY: Final = 20
# docs: expires_in is 7200 seconds; an ordinary token replaced by a new one lives on for 5 minutes
TOKEN_SECONDS: Final = 7200
REPLACED_TOKEN_SECONDS: Final = 300
# sandbox: an expired token answers 42001 for a day, afterwards 40001 like any unknown one
EXPIRED_TOKEN_KNOWN_SECONDS: Final = 24 * 3600
# docs: 2000 calls of /cgi-bin/token a day
PLAIN_TOKEN_CALLS_PER_DAY: Final = 2_000

# "batchtagging ≤50 openids, ≤20 tags a user, 100 tags an account"
TAGGING_OPENIDS: Final = 50
TAGS_PER_USER: Final = 20
TAGS_PER_ACCOUNT: Final = 100
# "user list 10,000 a page, 500 calls a day"
USER_PAGE: Final = 10_000
USER_LIST_CALLS_PER_DAY: Final = 500
# "user info 100 a batch"
USER_INFO_BATCH: Final = 100
# "QR codes: temporary ≤30 days, permanent ≤100,000, string scene ≤64"
QR_TEMPORARY_SECONDS: Final = 30 * 24 * 3600
QR_PERMANENT: Final = 100_000
QR_SCENE_CHARS: Final = 64
# "temporary media 3 days, images ≤2 MB"
MEDIA_SECONDS: Final = 3 * 24 * 3600
IMAGE_BYTES: Final = 2 * 1024 * 1024
# "clear_quota 10 a month"
CLEAR_QUOTA_PER_MONTH: Final = 10
# docs: typing needs a user message within 30 s (45080) and lasts 15 s (45081 on repetition)
TYPING_AFTER_MESSAGE_SECONDS: Final = 30
TYPING_SECONDS: Final = 15
# docs: 3 buttons, 5 sub-buttons each
MENU_BUTTONS: Final = 3
MENU_SUB_BUTTONS: Final = 5

# sandbox: what is kept for the page
HISTORY_PER_PERSON: Final = 200
REPLAYED_EVENTS: Final = 1000
SMS_KEPT: Final = 200
USER_TEXT_CHARS: Final = 5_000
UNAVAILABLE: Final = "该公众号暂时无法提供服务,请稍后再试"
