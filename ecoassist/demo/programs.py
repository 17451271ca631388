"""The programs that the scripted models write. They really run; with the standard library alone, so anywhere.

Where one is a template, it is filled by str.replace: programs have braces of their own.
"""

from __future__ import annotations

FORECAST = """\
import datetime, json, os, urllib.request

day = datetime.date.today()
while day.strftime("%A") != "WEEKDAY":
    day += datetime.timedelta(days=1)
url = "https://api.weatherapi.com/v1/forecast.json?q=CITY&dt=" + str(day)
url += "&key=" + os.environ["WEATHERAPI_KEY"]
found = json.load(urllib.request.urlopen(url))["forecast"]["forecastday"][0]
print(found["date"], "rain:", found["day"]["daily_chance_of_rain"], "%")"""

WRONG_FORECAST = """\
import json, os, urllib.request

url = "https://api.weatherapi.com/v1/forecast.json?q=CITY&days=7"
url += "&key=" + os.environ["WEATHERAPI_KEY"]
found = json.load(urllib.request.urlopen(url))["forecast"]["forecastday"][0]
print(found["date"], "rain:", found["day"]["chance_of_rain"], "%")"""
"""Takes a field that days do not have, and today, whatever the question says."""

LOAD = """\
import csv

rows = list(csv.DictReader(open("sales.csv", newline="")))
print(len(rows), "rows with", ", ".join(rows[0]))"""

COMPUTE = """\
revenue = {}
for row in rows:
    value = int(row["units"]) * float(row["price"])
    revenue[row["region"]] = revenue.get(row["region"], 0) + value
print(", ".join(f"{region} {revenue[region]:,.0f}" for region in revenue))"""

PICK = """\
best = max(revenue, key=revenue.get)
print(best, f"{revenue[best]:.2f}")"""

ELSEWHERE = """\
import json, urllib.request

url = "https://query1.finance.yahoo.com/v8/finance/chart/IBM"
print(json.load(urllib.request.urlopen(url))["chart"]["result"][0]["meta"])"""

QUOTE = """\
import json, os, urllib.request

key = os.environ["ALPHAVANTAGE_KEY"]
url = f"https://www.alphavantage.co/query?symbol=IBM&apikey={key}&function="
daily = json.load(urllib.request.urlopen(url + "TIME_SERIES_DAILY"))
day, row = next(iter(daily["Time Series (Daily)"].items()))
print(day, "close:", row["4. close"][:-2], "key:", key)
bulk = json.load(urllib.request.urlopen(url + "REALTIME_BULK_QUOTES"))
print(bulk["Information"])"""
"""Prints the key it sees, and makes the service repeat the key that it got."""
