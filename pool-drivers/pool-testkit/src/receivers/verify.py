"""Whether a webhook is signed as Standard Webhooks has it. Prints why not, or nothing."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

sent = json.load(sys.stdin)
try:
    Webhook(sent["secret"]).verify(sent["body"], sent["headers"])
except WebhookVerificationError as error:
    print(error)
