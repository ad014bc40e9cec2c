using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace MixedPrecision.Browser;

/// <summary>What a browser makes of a page: each method returns what is wrong.</summary>
internal static class PageCheck
{
    private static readonly ViewportSize Desk = new() { Width = 1280, Height = 900 };
    private static readonly ViewportSize Phone = new() { Width = 390, Height = 844 };

    private static readonly (string Name, ColorScheme Scheme, ViewportSize Size, Media Media)[] Looks =
    [
        ("light", ColorScheme.Light, Desk, Media.Screen),
        ("dark", ColorScheme.Dark, Desk, Media.Screen),
        ("phone", ColorScheme.Light, Phone, Media.Screen),
        ("phone-dark", ColorScheme.Dark, Phone, Media.Screen),
        ("print", ColorScheme.Light, new() { Width = 794, Height = 1123 }, Media.Print),
    ];

    /// <summary>Words of drawings that lie over each other or leave their drawing; lines of text may touch, and what is not drawn on a phone is in nobody's way.</summary>
    private const string WordsInTheWay = """
        () => [...document.querySelectorAll("svg")].flatMap(svg => {
          const room = svg.getBoundingClientRect();
          const words = [...svg.querySelectorAll("text")].filter(text => getComputedStyle(text).fill !== "rgba(0, 0, 0, 0)").map(text => [text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
          const leaving = words.filter(([, box]) => box.left < room.left - 1 || box.right > room.right + 1 || box.top < room.top - 1 || box.bottom > room.bottom + 1);
          const over = words.flatMap(([one, a], i) => words.slice(i + 1)
            .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
            .map(([other]) => `'${one}' and '${other}' overlap`));
          return [...leaving.map(([text]) => `'${text}' leaves its drawing`), ...over];
        })
        """;

    private const string FirstAndLastAlone = """
        () => {
          for (const many of [...document.querySelectorAll("tbody, svg, svg g")]) {
            const alike = [...many.children].filter(child => child.matches("tr, [data-point]"));
            for (const one of alike.slice(25, -25)) one.remove();
          }
        }
        """;

    public static async Task<string[]> Run(string page, string folder, string chromium)
    {
        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = chromium,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        var problems = new List<string>();
        foreach ((string name, ColorScheme scheme, ViewportSize size, Media media) in Looks)
        {
            problems.AddRange(await Look(browser, page, folder, name, scheme, size, media));
            if (media == Media.Screen)
            {
                problems.AddRange(await Rules(browser, page, name, scheme, size));
            }
        }

        return [.. problems, .. await Use(browser, page), .. await WithoutScripts(browser, page)];
    }

    /// <summary>A screenshot of all of it; it asks for no other file, says nothing on the console, is as wide as the screen, and its words can be read.</summary>
    private static async Task<string[]> Look(IBrowser browser, string page, string folder, string name, ColorScheme scheme, ViewportSize size, Media media)
    {
        await using IBrowserContext context = await browser.NewContextAsync(new() { ColorScheme = scheme, ViewportSize = size });
        IPage tab = await context.NewPageAsync();
        await tab.EmulateMediaAsync(new() { Media = media, ColorScheme = scheme });
        var problems = new List<string>();
        tab.Request += (_, request) => problems.AddRange(request.Url == page ? [] : new[] { $"{name}: asks for {request.Url}" });
        tab.Console += (_, message) => problems.Add($"{name}: the console says {message.Text}");
        tab.PageError += (_, error) => problems.Add($"{name}: the script fails: {error}");
        await tab.GotoAsync(page);
        await tab.ScreenshotAsync(new() { Path = Path.Combine(folder, name + ".png"), FullPage = true });
        int wider = await tab.EvaluateAsync<int>("document.scrollingElement.scrollWidth - window.innerWidth");
        string[] words = await tab.EvaluateAsync<string[]>(WordsInTheWay);
        return [.. problems, .. words.Select(w => $"{name}: {w}"), .. wider > 0 ? new[] { $"{name}: {wider} pixels wider than the screen" } : []];
    }

    /// <summary>Drawings answer to pointer and keys, headings of tables sort.</summary>
    private static async Task<string[]> Use(IBrowser browser, string page)
    {
        await using IBrowserContext context = await browser.NewContextAsync(new() { ViewportSize = Desk });
        IPage tab = await context.NewPageAsync();
        await tab.GotoAsync(page);
        var problems = new List<string>();
        foreach (ILocator drawing in await tab.Locator("[data-points]").AllAsync())
        {
            string name = await drawing.GetAttributeAsync("data-points") ?? "";
            ILocator readout = tab.Locator("#" + name);
            int points = await drawing.Locator("[data-point]").CountAsync();
            await drawing.Locator("[data-point][tabindex='0']").FocusAsync();
            await tab.Keyboard.PressAsync("Home");
            string first = await readout.InnerTextAsync();
            await tab.Keyboard.PressAsync("End");
            string last = await readout.InnerTextAsync();
            if (points > 1 && first == last)
            {
                problems.Add($"{name}: keys do not move along its {points} points");
            }

            await drawing.Locator("[data-point]").First.HoverAsync(new() { Force = true });
            if (points > 1 && await readout.InnerTextAsync() == last)
            {
                problems.Add($"{name}: the pointer changes nothing");
            }
        }

        ILocator table = tab.Locator("table[data-sortable]").First;
        if (await table.CountAsync() > 0)
        {
            await tab.EvaluateAsync("for (const details of document.querySelectorAll('details')) details.open = true");
            string before = await table.Locator("tbody tr").First.InnerTextAsync();
            ILocator heading = table.Locator("thead th").Nth(1);
            await heading.Locator("button").ClickAsync();
            await heading.Locator("button").ClickAsync();
            if (await heading.GetAttributeAsync("aria-sort") != "descending" || await table.Locator("tbody tr").Last.InnerTextAsync() != before)
            {
                problems.Add("the table does not sort");
            }
        }

        return [.. problems];
    }

    /// <summary>Rules of accessibility, with everything unfolded. Rows and points are alike, and axe takes minutes for thousands of them: of many it sees the first and the last.</summary>
    private static async Task<string[]> Rules(IBrowser browser, string page, string name, ColorScheme scheme, ViewportSize size)
    {
        await using IBrowserContext context = await browser.NewContextAsync(new() { ColorScheme = scheme, ViewportSize = size, BypassCSP = true });
        IPage tab = await context.NewPageAsync();
        await tab.GotoAsync(page);
        await tab.EvaluateAsync("for (const details of document.querySelectorAll('details')) details.open = true");
        await tab.EvaluateAsync(FirstAndLastAlone);
        var result = await tab.RunAxe();
        return [.. result.Violations.Select(v => $"{name}: {v.Id}: {v.Help}, at {string.Join("; ", v.Nodes.Take(3).Select(n => n.Html))}")];
    }

    /// <summary>Every row of every table is there.</summary>
    private static async Task<string[]> WithoutScripts(IBrowser browser, string page)
    {
        int[] rows = new int[2];
        for (int i = 0; i < rows.Length; i++)
        {
            await using IBrowserContext context = await browser.NewContextAsync(new() { JavaScriptEnabled = i == 0 });
            IPage tab = await context.NewPageAsync();
            await tab.GotoAsync(page);
            rows[i] = await tab.Locator("tr").CountAsync();
        }

        return rows[0] == rows[1] ? [] : [$"{rows[0]} rows with scripts, {rows[1]} without"];
    }
}
