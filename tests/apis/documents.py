"""OpenAPI documents in the style of real ones."""

from __future__ import annotations

import json
from typing import Any

WEATHER = """
openapi: 3.0.3
info:
  title: Sky API
  version: "1.0"
  description: |
    # Introduction

    Forecasts, history and *astronomy* for [any place](https://sky.example/places).

    ## Limits
    Many.
  termsOfService: https://sky.example/terms
  license: {name: CC BY 4.0}
servers:
  - url: https://{region}.sky.example/v1/
    variables:
      region: {default: eu, enum: [eu, us]}
security:
  - ApiKeyAuth: []
paths:
  /forecast.json:
    get:
      summary: Forecast by city or coordinates
      parameters:
        - $ref: "#/components/parameters/q"
        - {name: key, in: query, required: true, schema: {type: string}}
        - {name: days, in: query, schema: {type: integer, minimum: 1, maximum: 14}}
        - {name: aqi, in: query, schema: {type: string, enum: ["yes", "no"]}}
        - {name: lang, in: query, schema: {type: string, enum: [de, no, en]}}
        - {name: dt, in: query, schema: {type: string, format: date}}
        - {name: old, in: query, deprecated: true, schema: {type: string}}
        - {name: Accept, in: header, schema: {type: string}}
      responses:
        200: {$ref: "#/components/responses/Forecast"}
        400: {description: wrong}
  /old.json:
    get: {deprecated: true, responses: {200: {description: ok}}}
components:
  securitySchemes:
    ApiKeyAuth: {type: apiKey, in: query, name: key}
  parameters:
    q: {name: q, in: query, required: true, schema: {type: string}}
  responses:
    Forecast:
      description: ok
      content:
        application/json:
          schema:
            type: object
            properties:
              location: &place
                type: object
                properties: {name: {type: string}, tz_id: {type: string}}
              nearest: *place
              forecast:
                properties:
                  forecastday:
                    type: array
                    items: {$ref: "#/components/schemas/Day"}
  schemas:
    Day:
      type: object
      properties:
        date: {type: string, format: date}
        day:
          allOf:
            - {properties: {maxtemp_c: {type: number}, totalprecip_mm: {type: number}}}
            - {$ref: "#/components/schemas/Wind"}
    Wind: {properties: {maxwind_kph: {type: number}}}
"""


def shop(operations: int = 300) -> dict[str, Any]:
    """A service with a bearer token, callbacks, bodies and many operations, with cycles among its schemas."""
    paths: dict[str, Any] = {}
    for number in range(operations // 2):
        paths[f"/things{number}/{{id}}"] = {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}],
            "get": {
                "operationId": f"getThing{number}",
                "responses": {"200": _answer({"$ref": "#/components/schemas/Thing"})},
            },
            "post": {
                "summary": f"Change thing {number}",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {"201": _answer({"type": "array", "items": {"$ref": "#/components/schemas/Thing"}})},
                "callbacks": {
                    "done": {"{$request.body#/url}": {"post": {"responses": {"200": {"description": "ok"}}}}}
                },
            },
        }
    thing = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "name": {"type": "string"},
            "secret": {"type": "string", "writeOnly": True},
            "parent": {"$ref": "#/components/schemas/Thing"},
            "owner": {"oneOf": [{"$ref": "#/components/schemas/Person"}, {"type": "string"}]},
        },
    }
    person = {"properties": {"email": {"type": "string"}, "things": {"items": {"$ref": "#/components/schemas/Thing"}}}}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "https://shop.example/api"}],
        "security": [{"oauth": ["read"]}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "Bearer"},
                "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://x", "scopes": {}}}},
            },
            "schemas": {"Thing": thing, "Person": person},
        },
    }


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "ok", "content": {"application/json; charset=utf-8": {"schema": schema}}}


RATES = """
openapi: 3.1.0
info: {title: Rates, summary: Exchange rates., version: 1.0.0}
servers: [{url: /v2}]
webhooks:
  changed: {post: {responses: {"200": {description: ok}}}}
paths:
  /latest:
    servers: [{url: https://live.rates.example/v2}]
    get:
      description: The *latest* rates.
      security: []
      parameters:
        - {name: base, in: query, schema: {type: [string, "null"], const: EUR}}
        - {name: amount, in: query, schema: {type: [integer, "null"], exclusiveMinimum: 0}}
        - {name: offset, in: query, schema: {type: number, minimum: -12.5, maximum: 14}}
        - name: symbols
          in: query
          explode: false
          schema: {type: array, items: {enum: [USD, GBP, JPY]}}
        - {name: X-Trace, in: header, schema: {type: boolean}}
        - {name: filter, in: query, content: {application/json: {schema: {format: uuid}}}}
      responses:
        2XX:
          description: ok
          content:
            application/problem+json:
              schema:
                properties:
                  date: {type: string}
                  rates: {type: object, additionalProperties: {type: number}}
                  source: {anyOf: [{properties: {name: {type: string}}}, {type: "null"}]}
"""


def minimal(**more: Any) -> dict[str, Any]:
    """The least that can be used."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Small", "version": "1"},
        "servers": [{"url": "https://small.example"}],
        "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}},
        **more,
    }


def as_bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
