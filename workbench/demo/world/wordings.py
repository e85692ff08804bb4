"""How instructions are worded in each language."""

WORDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "copy": ("Repeat: {x}", "Say this again: {x}", "Copy this: {x}"),
        "continue": ("Continue: {x}", "What comes next? {x}"),
        "plus": ("What is {x} plus {y}?", "How much is {x} plus {y}?"),
        "true": ("{context} Is this true? {x}", "{context} True or not? {x}"),
        "yes": ("Yes.",),
        "no": ("No.",),
        "to_ru": ("How do you say '{x}' in Russian?", "Translate '{x}' into Russian."),
        "to_fa": ("How do you say '{x}' in Persian?", "Translate '{x}' into Persian."),
        "from": ("What does '{x}' mean?", "Translate '{x}' into English."),
    },
    "ru": {
        "copy": ("Повтори: {x}", "Скажи ещё раз: {x}", "Скопируй: {x}"),
        "continue": ("Продолжи: {x}", "Что дальше? {x}"),
        "plus": ("Сколько будет {x} плюс {y}?", "Чему равно {x} плюс {y}?"),
        "true": ("{context} Верно ли это? {x}", "{context} Правда или нет? {x}"),
        "yes": ("Да.",),
        "no": ("Нет.",),
        "to_ru": ("Как сказать по-русски «{x}»?", "Переведи на русский «{x}»."),
        "from": ("Как сказать по-английски «{x}»?", "Переведи на английский «{x}»."),
    },
    "fa": {
        "copy": ("تکرار کن: {x}", "این را دوباره بگو: {x}", "این را کپی کن: {x}"),
        "continue": ("ادامه بده: {x}", "بعد چه می\u200cآید؟ {x}"),
        "plus": ("{x} به علاوه\u200cی {y} چند می\u200cشود؟", "جمع {x} و {y} چند می\u200cشود؟"),
        "true": ("{context} آیا این درست است؟ {x}", "{context} درست است یا نه؟ {x}"),
        "yes": ("بله.",),
        "no": ("نه.",),
        "to_fa": ("«{x}» به فارسی چه می\u200cشود؟", "«{x}» را به فارسی ترجمه کن."),
        "from": ("«{x}» به انگلیسی چه می\u200cشود؟", "«{x}» را به انگلیسی ترجمه کن."),
    },
}
COMMA = {"en": ", ", "ru": ", ", "fa": "، "}
