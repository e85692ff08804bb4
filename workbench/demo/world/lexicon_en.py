"""English words. A key is its own English word (underscores are spaces) unless a table here says otherwise."""

from .tables import rows, words

# Words whose key had to differ from the word.
WORDS = {"orange_colour": "orange", "candy": "sweet", "pool": "swimming pool", "cafe": "café"}

PLURALS = {
    "box": "boxes",
    "knife": "knives",
    "dress": "dresses",
    "scarf": "scarves",
    "glass": "glasses",
    "tomato": "tomatoes",
    "peach": "peaches",
    "candy": "sweets",
}

# key | where | where to
PLACES = rows("""
kitchen | in the kitchen | to the kitchen
bedroom | in the bedroom | to the bedroom
living_room | in the living room | to the living room
bathroom | in the bathroom | to the bathroom
garden | in the garden | to the garden
yard | in the yard | to the yard
garage | in the garage | to the garage
office | in the office | to the office
balcony | on the balcony | to the balcony
corridor | in the corridor | to the corridor
cellar | in the cellar | to the cellar
school | at school | to school
shop | in the shop | to the shop
market | at the market | to the market
library | in the library | to the library
hospital | in the hospital | to the hospital
park | in the park | to the park
forest | in the forest | to the forest
station | at the station | to the station
museum | in the museum | to the museum
theatre | in the theatre | to the theatre
cinema | in the cinema | to the cinema
bakery | in the bakery | to the bakery
pharmacy | in the pharmacy | to the pharmacy
village | in the village | to the village
farm | on the farm | to the farm
beach | on the beach | to the beach
square | in the square | to the square
stadium | at the stadium | to the stadium
castle | in the castle | to the castle
restaurant | in the restaurant | to the restaurant
cafe | in the café | to the café
hotel | in the hotel | to the hotel
bank | in the bank | to the bank
post_office | at the post office | to the post office
pool | at the swimming pool | to the swimming pool
workshop | in the workshop | to the workshop
university | at the university | to the university
factory | at the factory | to the factory
meadow | in the meadow | to the meadow
zoo | at the zoo | to the zoo
river | by the river | to the river
lake | by the lake | to the lake
mountains | in the mountains | to the mountains
desert | in the desert | to the desert
valley | in the valley | to the valley
island | on the island | to the island
cave | in the cave | to the cave
""")

SPOTS = rows("""
on_table | on the table
under_table | under the table
on_shelf | on the shelf
on_chair | on the chair
under_bed | under the bed
on_bed | on the bed
in_drawer | in the drawer
in_cupboard | in the cupboard
on_floor | on the floor
on_sofa | on the sofa
behind_door | behind the door
behind_curtain | behind the curtain
under_tree | under the tree
by_window | by the window
""")

# key | past | base
VERBS = rows("""
give | gave | give
sell | sold | sell
show | showed | show
buy | bought | buy
find | found | find
lose | lost | lose
choose | chose | choose
bring | brought | bring
hide | hid | hide
""")

# key | present continuous after "is"
ACTIVITIES = rows("""
read | reading
sing | singing
dance | dancing
play | playing
rest | resting
work | working
write_letter | writing a letter
draw | drawing
laugh | laughing
run | running
study | studying
sleep | sleeping
have_lunch | having lunch
phone_talk | talking on the phone
wait | waiting
""")

MEALS = {"breakfast": "for breakfast", "lunch": "for lunch", "dinner": "for dinner"}
TIMES = rows("""
monday | on Monday
tuesday | on Tuesday
wednesday | on Wednesday
thursday | on Thursday
friday | on Friday
saturday | on Saturday
sunday | on Sunday
yesterday | yesterday
in_morning | in the morning
in_evening | in the evening
in_summer | in the summer
in_winter | in the winter
in_spring | in the spring
in_autumn | in the autumn
""")
NUMBERS = words("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty")
NUMBER = {str(i + 1): word for i, word in enumerate(NUMBERS)}
