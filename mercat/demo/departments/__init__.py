"""What the demo shop sells: ten departments, fifty kinds of goods, one page each."""

from mercat.demo.departments.beauty import BEAUTY
from mercat.demo.departments.books import BOOKS
from mercat.demo.departments.clothing import CLOTHING
from mercat.demo.departments.electronics import ELECTRONICS
from mercat.demo.departments.garden import GARDEN
from mercat.demo.departments.grocery import GROCERY
from mercat.demo.departments.home import HOME
from mercat.demo.departments.office import OFFICE
from mercat.demo.departments.sports import SPORTS
from mercat.demo.departments.toys import TOYS

DEPARTMENTS = (ELECTRONICS, HOME, BOOKS, CLOTHING, TOYS, SPORTS, BEAUTY, GARDEN, OFFICE, GROCERY)

__all__ = ["DEPARTMENTS"]
