"""Tables behind the population: names, places, goods, how often a situation occurs, and the scripted people."""

FIRST_NAMES = (
    "Ada", "Amir", "Anna", "Arun", "Beatriz", "Ben", "Carla", "Chen", "Dana", "Daniel", "Elena", "Emil", "Farid",
    "Fiona", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jade", "Jonas", "Kemi", "Lars", "Leila", "Liam", "Lucia",
    "Maja", "Marco", "Mei", "Mila", "Nadia", "Noah", "Olga", "Omar", "Paula", "Pedro", "Priya", "Quinn", "Rania",
    "Rosa", "Sam", "Sara", "Sofia", "Tariq", "Tess", "Theo", "Uma", "Victor", "Wanda", "Yara", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Alvarez", "Baker", "Banerjee", "Becker", "Brandt", "Brown", "Castillo", "Chen", "Clarke", "Cohen",
    "Dahl", "Diaz", "Dubois", "Evans", "Farah", "Fischer", "Flores", "Garcia", "Gupta", "Haddad", "Hansen", "Ito",
    "Ivanova", "Jansen", "Johnson", "Kaya", "Keller", "Khan", "Kim", "Kowalski", "Larsen", "Lee", "Lopez", "Marin",
    "Martin", "Mensah", "Meyer", "Moreau", "Nakamura", "Ndiaye", "Nguyen", "Novak", "Okafor", "Olsen", "Park",
    "Patel", "Petrov", "Quist", "Rahman", "Ramos", "Reyes", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Suarez",
    "Tanaka", "Torres", "Ueda", "Vargas", "Vogel", "Walsh", "Weber", "Wong", "Yilmaz", "Zhang",
)  # fmt: skip

# country, region code, region name, city, postal code, telephone area
PLACES = (
    ("US", "CA", "California", "Oakland", "94607", "415"),
    ("US", "CA", "California", "Pasadena", "91101", "213"),
    ("US", "NY", "New York", "Buffalo", "14201", "718"),
    ("US", "TX", "Texas", "Austin", "78701", "512"),
    ("US", "FL", "Florida", "Orlando", "32801", "407"),
    ("US", "WA", "Washington", "Seattle", "98101", "206"),
    ("US", "OR", "Oregon", "Portland", "97201", "503"),
    ("US", "CO", "Colorado", "Denver", "80202", "303"),
    ("US", "IL", "Illinois", "Chicago", "60601", "312"),
    ("US", "GA", "Georgia", "Atlanta", "30303", "404"),
    ("US", "OH", "Ohio", "Columbus", "43085", "614"),
    ("CA", "ON", "Ontario", "Toronto", "M5V 2T6", "416"),
    ("CA", "BC", "British Columbia", "Vancouver", "V6B 1A1", "604"),
    ("CA", "QC", "Quebec", "Montreal", "H2Y 1C6", "514"),
    ("CA", "AB", "Alberta", "Calgary", "T2P 1J9", "403"),
    ("GB", "ENG", "England", "Leeds", "LS1 4AP", ""),
    ("GB", "SCT", "Scotland", "Dundee", "DD1 1DB", ""),
)
PLACE_WEIGHTS = (8, 8, 8, 8, 7, 7, 6, 6, 6, 5, 5, 4, 3, 3, 3, 5, 3)
COUNTRY_NAMES = {"US": "United States", "CA": "Canada", "GB": "United Kingdom"}
CURRENCIES = {"US": "USD", "CA": "CAD", "GB": "GBP"}
CANADIAN_AREAS = frozenset({"416", "604", "514", "403"})

# SKU, title, price of one
GOODS = {
    "none": (
        ("TEA-0101", "Loose leaf tea", "14.50"),
        ("MUG-0202", "Stoneware mug", "22.00"),
        ("LAMP-0303", "Desk lamp", "64.90"),
        ("RUG-0404", "Wool rug", "119.00"),
    ),
    "vape": (("VAPE-1001", "Pod kit", "39.90"), ("VAPE-1002", "Refill pods", "17.50")),
    "alcohol": (("WINE-2001", "Red wine, case of six", "72.00"),),
    "cannabis": (("CBD-3001", "CBD oil", "48.00"),),
    "adult": (("ADLT-4001", "Gift box for adults", "55.00"),),
}

# For every dimension of a person: its values and their weights.
MIX: dict[str, dict[str, float]] = {
    "reach": {"both": 60, "shopify": 17, "klaviyo": 13, "twilio": 3, "split": 4, "bridge": 3},
    "contact": {"both": 60, "email": 33, "phone": 4, "bad_email": 1.5, "bad_phone": 1.5},
    "email": {
        "shopify": 20, "shopify_double": 6, "klaviyo": 22, "both": 15, "withdrawn_shopify": 5, "withdrawn_klaviyo": 5,
        "regranted": 2, "tie": 0.5, "pending": 3, "none": 15, "hard_bounce": 2, "invalid_address": 1,
        "spam_complaint": 1, "manual_block": 1.5,
    },
    "sms": {
        "none": 42, "shopify": 18, "klaviyo": 16, "both": 6, "stop": 6, "failed": 2, "withdrawn_shopify": 3,
        "withdrawn_klaviyo": 3, "pending": 2,
    },
    "orders": {
        "none": 10, "recent": 24, "middle": 18, "lapsed": 26, "spender": 13, "exact": 1.5, "mixed_currency": 1.5,
        "almost": 1.5, "cancelled": 2, "refunded": 2, "imported": 1, "future": 0.5,
    },
    "goods": {"none": 68, "vape": 22, "alcohol": 5, "cannabis": 3, "adult": 2},
    "age": {
        "none": 40, "born_adult": 20, "tag": 20, "tag_born": 10, "not_verified": 4, "tag_minor": 3, "born_minor": 3,
    },
    "address": {"full": 90, "default": 4, "klaviyo": 2, "phone": 2, "nowhere": 2, "moved": 3},
    "webinar": {
        "none": 78, "fresh": 9, "bought_after": 3, "bought_before": 3, "old": 4, "twice": 2, "twice_bought": 1,
    },
}  # fmt: skip

# The same for what the CRM (HubSpot) knows. Apart from MIX, since it is drawn by a generator of its own. "crm" says
# whether there is a contact, under the same e-mail as elsewhere or another one (registrants only), or two of them.
CRM_MIX: dict[str, dict[str, float]] = {
    "crm": {"none": 46, "same": 54},
    "crm_of_registrant": {"same": 78, "other": 22},
    "crm_says": {"none": 38, "granted": 50, "withdrawn": 7, "opted_out": 5},
    "crm_age": {"none": 60, "known": 40},
    "registrant_at": {"klaviyo": 46, "shopify": 5, "both": 4, "nowhere": 45},
}  # fmt: skip

_GOOD = {"reach": "both", "contact": "both", "email": "both", "sms": "both", "address": "full", "webinar": "none"}
_REGISTRANT = {**_GOOD, "webinar": "fresh", "orders": "none", "crm": "other", "registrant_at": "klaviyo"}
_VAPER = {**_GOOD, "orders": "recent", "goods": "vape", "country": "US"}

# People every population has, the first first: each makes one reason or one trap certain. The rest is drawn from MIX.
STORIES: tuple[tuple[str, dict[str, str]], ...] = (
    ("good_buyer", {**_GOOD, "orders": "recent", "goods": "none", "country": "US", "crm": "same"}),
    ("buyer_withdrew_email", {**_GOOD, "email": "withdrawn_klaviyo", "orders": "recent", "goods": "none"}),
    ("exactly_enough", {**_GOOD, "orders": "exact", "country": "US"}),
    ("lapsed_sms", {**_GOOD, "orders": "lapsed"}),
    ("lapsed_stopped", {**_GOOD, "sms": "stop", "orders": "lapsed"}),
    ("vaper_verified", {**_VAPER, "age": "tag"}),
    ("vaper_unproven", {**_VAPER, "age": "none"}),
    ("vaper_self_declared", {**_VAPER, "age": "born_adult"}),
    ("vaper_minor", {**_VAPER, "age": "tag_minor"}),
    ("vaper_abroad", {**_VAPER, "age": "tag", "country": "GB"}),
    ("vaper_nowhere", {**_VAPER, "age": "tag", "address": "nowhere", "contact": "email"}),
    ("webinar_guest", {**_GOOD, "webinar": "fresh", "orders": "lapsed"}),
    ("webinar_buyer", {**_GOOD, "webinar": "bought_after", "orders": "middle"}),
    ("bounced", {**_GOOD, "email": "hard_bounce", "orders": "recent"}),
    ("complained", {**_GOOD, "email": "spam_complaint", "orders": "recent"}),
    ("blocked", {**_GOOD, "email": "manual_block", "orders": "recent"}),
    ("invalid_mailbox", {**_GOOD, "email": "invalid_address", "orders": "recent"}),
    ("pending", {**_GOOD, "email": "pending", "orders": "recent"}),
    ("never_asked", {**_GOOD, "email": "none", "orders": "recent"}),
    ("erased", {**_GOOD, "reach": "erased", "orders": "recent"}),
    ("unreachable", {**_GOOD, "reach": "shopify", "contact": "bad_email", "orders": "recent"}),
    ("tied", {**_GOOD, "email": "tie", "orders": "recent"}),
    ("came_back", {**_GOOD, "email": "regranted", "orders": "recent"}),
    ("exactly_enough_abroad", {**_GOOD, "orders": "exact", "country": "GB"}),
    ("not_quite_enough", {**_GOOD, "orders": "almost", "country": "CA"}),
    ("two_currencies", {**_GOOD, "orders": "mixed_currency", "country": "CA"}),
    ("cancelled", {**_GOOD, "orders": "cancelled"}),
    ("refunded", {**_GOOD, "orders": "refunded"}),
    ("tomorrow", {**_GOOD, "orders": "future"}),
    ("imported_order", {**_GOOD, "orders": "imported"}),
    ("same_second", {**_GOOD, "webinar": "same_second", "orders": "lapsed"}),
    ("two_webinars", {**_GOOD, "webinar": "twice_bought", "orders": "none"}),
    ("one_phone_two_mails", {**_GOOD, "reach": "split", "orders": "recent"}),
    ("bridged", {**_GOOD, "reach": "bridge", "orders": "spender"}),
    ("text_refused", {**_GOOD, "sms": "failed", "orders": "lapsed"}),
    ("vaper_unchecked", {**_VAPER, "age": "not_verified"}),
    ("vaper_proven_and_born", {**_VAPER, "age": "tag_born"}),
    ("vaper_child", {**_VAPER, "age": "born_minor"}),
    ("vaper_moved_in", {**_VAPER, "age": "tag", "address": "moved"}),
    ("vaper_by_profile", {**_VAPER, "age": "tag", "address": "klaviyo", "contact": "email"}),
    ("vaper_by_phone", {**_VAPER, "age": "tag", "address": "phone"}),
    ("vaper_withdrew", {**_VAPER, "age": "tag", "email": "withdrawn_shopify"}),
    ("spender_withdrew", {**_GOOD, "orders": "spender", "email": "withdrawn_shopify"}),
    ("lapsed_no_phone", {**_GOOD, "orders": "lapsed", "contact": "email"}),
    ("lapsed_bad_phone", {**_GOOD, "orders": "lapsed", "contact": "bad_phone"}),
    ("lapsed_pending", {**_GOOD, "orders": "lapsed", "sms": "pending"}),
    ("lapsed_no_grant", {**_GOOD, "orders": "lapsed", "sms": "none"}),
    ("crm_withdrew", {**_GOOD, "orders": "recent", "crm": "same", "crm_says": "withdrawn"}),
    ("crm_opted_out", {**_GOOD, "orders": "recent", "crm": "same", "crm_says": "opted_out"}),
    ("crm_alone_granted", {**_GOOD, "orders": "recent", "email": "none", "crm": "same", "crm_says": "granted"}),
    ("crm_never_asked", {**_GOOD, "orders": "recent", "email": "none", "crm": "same", "crm_says": "none"}),
    ("crm_only", {**_GOOD, "reach": "hubspot", "crm": "same", "crm_says": "granted"}),
    ("joined_by_registrant", {**_REGISTRANT, "crm_says": "granted"}),
    ("joined_in_the_shop", {**_REGISTRANT, "crm_says": "granted", "registrant_at": "shopify"}),
    ("left_by_registrant", {**_REGISTRANT, "crm_says": "granted", "webinar": "bought_after"}),
    ("only_the_crm_may", {**_REGISTRANT, "crm_says": "granted", "email": "none"}),
    ("only_the_mailer_may", {**_REGISTRANT, "crm_says": "withdrawn"}),
    ("two_contacts", {**_REGISTRANT, "crm": "double", "crm_says": "granted"}),
    ("vaper_child_in_crm", {**_VAPER, "age": "tag", "crm": "same", "crm_age": "minor"}),
)

WEBINARS = ("Brewing better tea", "Small rooms, good light", "Caring for wool")
CHATTER = ("Thanks!", "When do you open on Sunday?", "Is the lamp back in stock?", "Great service", "Got it")
STOP_WORDS = ("STOP", "stop", " Stop ", "UNSUBSCRIBE", "STOPALL", "Cancel", "END", "quit")
PROMOTIONS = ("New teas are in. Reply STOP to end.", "Free shipping until Sunday. Reply STOP to end.")
