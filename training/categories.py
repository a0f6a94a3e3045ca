"""What kind of thing a concept is, by Emojibase's number of its subgroup."""

CATEGORIES = {
    **dict.fromkeys(range(34, 40), "animal"),
    **dict.fromkeys((40, 41), "plant"),
    **dict.fromkeys(range(42, 47), "food"),
    **dict.fromkeys((51, 52), "building"),
    **dict.fromkeys((54, 55, 56), "vehicle"),
}
