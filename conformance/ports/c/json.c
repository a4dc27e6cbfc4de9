#include "json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than any message of the protocol. */
enum { DEEPEST = 32 };

static json *read_value(char **at, int depth);

static void skip_space(char **at) {
    while (**at == ' ' || **at == '\t' || **at == '\n' || **at == '\r') (*at)++;
}

static int take(char **at, char wanted) {
    skip_space(at);
    if (**at != wanted) return 0;
    (*at)++;
    return 1;
}

static int take_word(char **at, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return 0;
    *at += length;
    return 1;
}

/* Read a string in place. The kit writes ASCII and names no parameter with \u: it becomes '?'. */
static const char *read_string(char **at) {
    if (!take(at, '"')) return NULL;
    char *start = *at, *end = *at;
    while (**at != '"') {
        if (**at == '\0') return NULL;
        if (**at != '\\') {
            *end++ = *(*at)++;
            continue;
        }
        (*at)++;
        switch (**at) {
            case 'n': *end++ = '\n'; break;
            case 't': *end++ = '\t'; break;
            case 'r': *end++ = '\r'; break;
            case 'b': *end++ = '\b'; break;
            case 'f': *end++ = '\f'; break;
            case 'u':
                for (int i = 0; i < 4; i++)
                    if (!isxdigit((unsigned char)*++*at)) return NULL;
                *end++ = '?';
                break;
            case '\0': return NULL;
            default: *end++ = **at;
        }
        (*at)++;
    }
    (*at)++;
    *end = '\0';
    return start;
}

/* Read the children of an array or an object up to `last`. */
static int read_children(json *parent, char **at, char last, int depth) {
    json **link = &parent->child;
    if (take(at, last)) return 1;
    do {
        const char *name = NULL;
        if (parent->type == JSON_OBJECT && (!(name = read_string(at)) || !take(at, ':'))) return 0;
        if (!(*link = read_value(at, depth + 1))) return 0;
        (*link)->name = name;
        link = &(*link)->next;
        parent->count++;
    } while (take(at, ','));
    return take(at, last);
}

/* A number keeps its text, which ends where the next character is not part of it. */
static int read_number(json *value, char **at) {
    size_t length = strspn(*at, "+-.0123456789eE");
    char *copy = malloc(length + 1);
    if (!length || !copy) return free(copy), 0;
    memcpy(copy, *at, length);
    copy[length] = '\0';
    value->string = copy;
    *at += length;
    return 1;
}

static json *read_value(char **at, int depth) {
    json *value = calloc(1, sizeof *value);
    int good = 0;
    if (!value || depth > DEEPEST) return free(value), NULL;
    skip_space(at);
    if (**at == '"') {
        value->type = JSON_STRING;
        good = (value->string = read_string(at)) != NULL;
    } else if (take(at, '[')) {
        value->type = JSON_ARRAY;
        good = read_children(value, at, ']', depth);
    } else if (take(at, '{')) {
        value->type = JSON_OBJECT;
        good = read_children(value, at, '}', depth);
    } else if (take_word(at, "true")) {
        value->type = JSON_TRUE;
        good = 1;
    } else if (take_word(at, "false")) {
        value->type = JSON_FALSE;
        good = 1;
    } else if (take_word(at, "null")) {
        good = 1;
    } else {
        value->type = JSON_NUMBER;
        good = read_number(value, at);
    }
    if (good) return value;
    json_free(value);
    return NULL;
}

json *json_read(char *text) {
    json *value = read_value(&text, 0);
    skip_space(&text);
    if (*text == '\0') return value;
    json_free(value);
    return NULL;
}

void json_free(json *value) {
    while (value) {
        json *next = value->next;
        json_free(value->child);
        if (value->type == JSON_NUMBER) free((char *)value->string);
        free(value);
        value = next;
    }
}

const json *json_member(const json *object, const char *name) {
    if (!object || object->type != JSON_OBJECT) return NULL;
    for (const json *m = object->child; m; m = m->next)
        if (strcmp(m->name, name) == 0) return m;
    return NULL;
}
