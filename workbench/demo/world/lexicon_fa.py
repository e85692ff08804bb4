"""Persian words, in Persian letters (ی, ک) and with the zero-width non-joiner inside compounds.

Data lines write the non-joiner as ``_`` so that it can be seen; it becomes U+200C on reading.
"""

from .tables import rows, words

ZWNJ = "\u200c"


def _read(text: str) -> dict[str, str]:
    return {key: fields[0].replace("_", ZWNJ) for key, fields in rows(text).items()}


def _pairs(text: str) -> dict[str, str]:
    return {key: word.replace("_", ZWNJ) for key, word in (item.split("=") for item in text.split())}


PEOPLE = _pairs(
    "anna=آنا maria=ماریا olga=اولگا vera=ورا nina=نینا irina=ایرینا elena=النا marina=مارینا sofia=سوفیا polina=پولینا alina=آلینا laura=لورا sara=سارا "
    "leila=لیلا lisa=لیزا julia=جولیا victoria=ویکتوریا diana=دیانا clara=کلارا nora=نورا eva=اوا mina=مینا roxana=رکسانا lina=لینا tamara=تامارا "
    "amina=آمینا zara=زارا rosa=رزا monica=مونیکا camilla=کامیلا "
    "ivan=ایوان boris=بوریس oleg=اولگ anton=آنتون igor=ایگور maxim=ماکسیم victor=ویکتور denis=دنیس roman=رومن andrei=آندری alexei=الکسی sergei=سرگئی "
    "nikolai=نیکلای mikhail=میخائیل mark=مارک thomas=توماس david=داوود daniel=دانیل oscar=اسکار leon=لئون karim=کریم amir=امیر hassan=حسن rustam=رستم "
    "timur=تیمور arthur=آرتور robert=رابرت simon=سیمون felix=فلیکس martin=مارتین emil=امیل farid=فرید kamran=کامران albert=آلبرت"
)
NOUNS = _pairs(
    "bear=خرس wolf=گرگ fox=روباه rabbit=خرگوش cat=گربه dog=سگ horse=اسب cow=گاو goat=بز sheep=گوسفند pig=خوک leopard=پلنگ tiger=ببر elephant=فیل "
    "monkey=میمون mouse=موش squirrel=سنجاب hedgehog=جوجه_تیغی camel=شتر donkey=الاغ duck=اردک goose=غاز hen=مرغ owl=جغد crow=کلاغ frog=قورباغه "
    "turtle=لاک_پشت snake=مار deer=گوزن rooster=خروس parrot=طوطی eagle=عقاب "
    "lamp=چراغ book=کتاب cup=فنجان ball=توپ box=جعبه bag=کیف pencil=مداد pen=خودکار notebook=دفترچه key=کلید knife=چاقو spoon=قاشق fork=چنگال "
    "plate=بشقاب bottle=بطری umbrella=چتر hat=کلاه jacket=کت shirt=پیراهن dress=لباس scarf=شال ring=انگشتر phone=تلفن violin=ویولن doll=عروسک "
    "blanket=پتو pillow=بالش basket=سبد bucket=سطل candle=شمع flag=پرچم map=نقشه letter=نامه newspaper=روزنامه stone=سنگ flower=گل comb=شانه "
    "rope=طناب hammer=چکش vase=گلدان teapot=قوری glass=لیوان coin=سکه ticket=بلیت toy=اسباب_بازی photograph=عکس gift=هدیه camera=دوربین pot=قابلمه "
    "chair=صندلی mirror=آینه picture=تابلو computer=رایانه guitar=گیتار bicycle=دوچرخه car=ماشین boat=قایق drum=طبل carpet=فرش ladder=نردبان "
    "suitcase=چمدان tent=چادر "
    "apple=سیب pear=گلابی orange=پرتقال lemon=لیمو egg=تخم_مرغ tomato=گوجه_فرنگی peach=هلو banana=موز cucumber=خیار melon=خربزه watermelon=هندوانه "
    "nut=گردو candy=آب_نبات"
)
# Final ه that is heard as h, and final و that is a consonant: the ezafe leaves no trace in writing.
PLAIN_ENDING = frozenset(words("روباه کلاه گاو"))

ADJECTIVES = _pairs(
    "red=قرمز blue=آبی green=سبز yellow=زرد white=سفید black=سیاه brown=قهوه_ای grey=خاکستری pink=صورتی orange_colour=نارنجی purple=بنفش big=بزرگ "
    "small=کوچک old=قدیمی new=نو beautiful=زیبا strange=عجیب heavy=سنگین light=سبک expensive=گران cheap=ارزان clean=تمیز dirty=کثیف"
)

PLACES = _read("""
kitchen | آشپزخانه
bedroom | اتاق خواب
living_room | اتاق نشیمن
bathroom | حمام
garden | باغ
yard | حیاط
garage | گاراژ
office | دفتر
balcony | بالکن
corridor | راهرو
cellar | زیرزمین
school | مدرسه
shop | مغازه
market | بازار
library | کتابخانه
hospital | بیمارستان
park | پارک
forest | جنگل
station | ایستگاه
museum | موزه
theatre | تئاتر
cinema | سینما
bakery | نانوایی
pharmacy | داروخانه
village | روستا
farm | مزرعه
beach | ساحل
square | میدان
stadium | ورزشگاه
castle | قلعه
restaurant | رستوران
cafe | کافه
hotel | هتل
bank | بانک
post_office | پست_خانه
pool | استخر
workshop | کارگاه
university | دانشگاه
factory | کارخانه
meadow | چمنزار
zoo | باغ_وحش
river | رودخانه
lake | دریاچه
mountains | کوهستان
desert | بیابان
valley | دره
island | جزیره
cave | غار
""")
WATERSIDE = frozenset({"river", "lake"})
CITIES = _pairs(
    "paris=پاریس london=لندن moscow=مسکو tehran=تهران shiraz=شیراز rome=رم berlin=برلین madrid=مادرید vienna=وین tabriz=تبریز isfahan=اصفهان kazan=کازان "
    "istanbul=استانبول baku=باکو tashkent=تاشکند prague=پراگ warsaw=ورشو cairo=قاهره delhi=دهلی beijing=پکن tokyo=توکیو boston=بوستون athens=آتن "
    "yerevan=ایروان dublin=دوبلین samarkand=سمرقند kabul=کابل budapest=بوداپست lisbon=لیسبون"
)
SPOTS = _read("""
on_table | روی میز
under_table | زیر میز
on_shelf | روی قفسه
on_chair | روی صندلی
under_bed | زیر تخت
on_bed | روی تخت
in_drawer | در کشو
in_cupboard | در کمد
on_floor | روی زمین
on_sofa | روی مبل
behind_door | پشت در
behind_curtain | پشت پرده
under_tree | زیر درخت
by_window | کنار پنجره
""")
FOODS = _pairs(
    "bread=نان cheese=پنیر soup=سوپ rice=برنج fish=ماهی meat=گوشت tea=چای coffee=قهوه juice=آب_میوه water=آب milk=شیر lemonade=لیموناد honey=عسل "
    "salad=سالاد pizza=پیتزا cake=کیک ice_cream=بستنی chocolate=شکلات yogurt=ماست grapes=انگور jam=مربا pasta=ماکارونی potatoes=سیب_زمینی dates=خرما"
)
JOBS = _pairs(
    "doctor=پزشک teacher=معلم engineer=مهندس cook=آشپز artist=نقاش writer=نویسنده driver=راننده nurse=پرستار musician=نوازنده actor=بازیگر farmer=کشاورز "
    "pilot=خلبان singer=خواننده journalist=خبرنگار baker=نانوا salesperson=فروشنده photographer=عکاس gardener=باغبان librarian=کتابدار lawyer=وکیل "
    "translator=مترجم hairdresser=آرایشگر dentist=دندان_پزشک"
)
KIN = _pairs(
    "brother=برادر sister=خواهر father=پدر mother=مادر son=پسر daughter=دختر grandfather=پدربزرگ grandmother=مادربزرگ uncle=عمو aunt=خاله friend=دوست "
    "neighbour=همسایه"
)

# key | past, third person singular
VERBS = _read("""
give | داد
sell | فروخت
show | نشان داد
buy | خرید
find | پیدا کرد
lose | گم کرد
choose | انتخاب کرد
bring | آورد
hide | پنهان کرد
""")
ACTIVITIES = _read("""
read | کتاب می_خواند
sing | آواز می_خواند
dance | می_رقصد
play | بازی می_کند
rest | استراحت می_کند
work | کار می_کند
write_letter | نامه می_نویسد
draw | نقاشی می_کشد
laugh | می_خندد
run | می_دود
study | درس می_خواند
sleep | خوابیده است
have_lunch | ناهار می_خورد
phone_talk | با تلفن حرف می_زند
wait | صبر می_کند
""")
MEALS = {"breakfast": "برای صبحانه", "lunch": "برای ناهار", "dinner": "برای شام"}
# key | as an adverb
TIMES = _read("""
monday | روز دوشنبه
tuesday | روز سه_شنبه
wednesday | روز چهارشنبه
thursday | روز پنج_شنبه
friday | روز جمعه
saturday | روز شنبه
sunday | روز یکشنبه
yesterday | دیروز
in_morning | صبح
in_evening | عصر
in_summer | در تابستان
in_winter | در زمستان
in_spring | در بهار
in_autumn | در پاییز
""")
NUMBERS = words("یک دو سه چهار پنج شش هفت هشت نه ده یازده دوازده سیزده چهارده پانزده شانزده هفده هجده نوزده بیست")
NUMBER = {str(i + 1): word for i, word in enumerate(NUMBERS)}
