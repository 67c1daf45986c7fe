"""Twilio: the message log in (it has no directory of people); opt-outs and single messages out.

GET Accounts/{sid}/Messages.json → messages. Consent is what people texted (STOP words) and what sends ran into (21610).
"""

from datetime import timedelta

from dlt_sources.platform import Credential, Object, Platform
from dlt_sources.platforms.twilio.tables import LIMITS, TOPICS

PLATFORM = Platform(
    name="twilio",
    title="Twilio",
    documentation="https://www.twilio.com/docs/messaging/api/message-resource",
    objects=(
        # The log is filtered by the time of sending, but statuses and error codes still change days later.
        Object(
            name="messages",
            key="sid",
            updated="date_updated",
            overlap=timedelta(days=3),
            # A text that waits for its sender has no `from` yet.
            required=("sid", "to", "direction", "status", "date_created"),
            states_consent=True,
        ),
    ),
    credentials=(
        Credential(name="account_sid", description="AC…", secret=False),
        Credential(name="auth_token", description="the primary token; it signs webhooks even beside an API key"),
        Credential(name="api_key_sid", description="SK…, used for calls in place of the token", required=False),
        Credential(name="api_key_secret", description="of that API key", required=False),
        Credential(
            name="messaging_service_sid", description="MG… that opt-outs and sends go by", secret=False, required=False
        ),
        Credential(name="from_number", description="a number in its place", secret=False, required=False),
        Credential(name="base_url", description="another address of the API", secret=False, required=False),
        Credential(name="accounts_base_url", description="another address of Consents", secret=False, required=False),
    ),
    limits=LIMITS,
    topics=TOPICS,
)
